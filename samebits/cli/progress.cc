#include "samebits/cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "samebits/base/thread_pool.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

constexpr std::size_t kBarWidth = 60;
constexpr double kShortStep = 1;  // seconds, in which nothing can be foretold

}  // namespace

std::string progress_text(const std::string& what, const WorkSeen& seen, double seconds,
                          double step_seconds) {
  if (seen.what.empty() || seen.total == 0) return fmt::format("{}: {:.0f} s", what, seconds);
  const double share =
      std::min(1.0, static_cast<double>(seen.done) / static_cast<double>(seen.total));
  std::string text = fmt::format("{}: {}, {:.0f} %", what, seen.what, std::floor(100 * share));
  if (share > 0 && step_seconds >= kShortStep)
    text += fmt::format(", {:.0f} s left", std::ceil(step_seconds * (1 - share) / share));
  return text;
}

Progress::Progress(const std::string& what) : what_(elide_middle(printable(what), kBarWidth)) {
  if (isatty(STDERR_FILENO) == 1) thread_ = try_start([this] { show(); });
}

Progress::~Progress() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    done_ = true;
  }
  ended_.notify_one();
  thread_.join();
}

void Progress::show() {
  std::unique_lock<std::mutex> lock(mutex_);
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  const Clock::time_point start = Clock::now();
  Clock::time_point step_start = start;
  std::uint64_t step = 0;
  bool shown = false;
  while (!ended_.wait_for(lock, std::chrono::milliseconds(250), [this] { return done_; })) {
    const WorkSeen seen = seen_work();
    if (seen.step != step) step_start = Clock::now();
    step = seen.step;
    if (since(start) < 1) continue;
    shown = true;
    std::fprintf(stderr, "\r%s\x1b[K",
                 progress_text(what_, seen, since(start), since(step_start)).c_str());
    std::fflush(stderr);
  }
  if (shown) std::fputs("\r\x1b[K", stderr);
}

}  // namespace samebits
