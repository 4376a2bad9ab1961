// An exception on its way from helping threads to the one that waits for them.
#pragma once

#include <exception>
#include <mutex>
#include <utility>

namespace samebits {

/// Of this library's own code only the standard library throws, where memory or threads are short:
/// on a thread without a handler that would end the program.
class FirstException {
 public:
  /// In a catch clause: keeps the exception unless there is one.
  void keep() noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!first_) first_ = std::current_exception();
  }
  /// When no other thread uses this any more. Throws what was kept, once.
  void rethrow() {
    if (first_) std::rethrow_exception(std::exchange(first_, nullptr));
  }

 private:
  std::mutex mutex_;
  std::exception_ptr first_;
};

}  // namespace samebits
