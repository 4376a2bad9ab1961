#include "samebits/base/work_meter.h"

#include <atomic>
#include <mutex>

namespace samebits {
namespace {

struct Meter {
  std::mutex mutex;  // of all but `done`
  const char* what = "";
  std::uint64_t steps = 0, total = 0;
  int active = 0;
  std::atomic<std::uint64_t> done{0};
};

Meter& meter() {
  static Meter shared;
  return shared;
}

}  // namespace

WorkStep::WorkStep(const char* what, std::uint64_t total) {
  Meter& shared = meter();
  const std::lock_guard<std::mutex> lock(shared.mutex);
  if (shared.active++ == 0) {
    shared.what = what;
    shared.total = 0;
    shared.done.store(0, std::memory_order_relaxed);
    ++shared.steps;
  }
  shared.total += total;
}

WorkStep::~WorkStep() {
  Meter& shared = meter();
  const std::lock_guard<std::mutex> lock(shared.mutex);
  --shared.active;
}

void WorkStep::add(std::uint64_t done) { meter().done.fetch_add(done, std::memory_order_relaxed); }

WorkSeen seen_work() {
  Meter& shared = meter();
  const std::lock_guard<std::mutex> lock(shared.mutex);
  if (shared.active == 0) return {};
  return {.what = shared.what,
          .step = shared.steps,
          .done = shared.done.load(std::memory_order_relaxed),
          .total = shared.total};
}

}  // namespace samebits
