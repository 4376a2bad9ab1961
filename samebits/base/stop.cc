#include "samebits/base/stop.h"

#include <stdexcept>

namespace samebits {
namespace {

const StopFlag*& stop_of_thread() {
  static thread_local const StopFlag* flag = nullptr;
  return flag;
}

}  // namespace

StopScope::StopScope(const StopFlag* flag) : before_(stop_of_thread()) { stop_of_thread() = flag; }

StopScope::~StopScope() { stop_of_thread() = before_; }

const StopFlag* current_stop() { return stop_of_thread(); }

void throw_if_stopped(const StopFlag* flag) {
  if (flag != nullptr && flag->load(std::memory_order_relaxed))
    throw std::runtime_error("it was interrupted");
}

}  // namespace samebits
