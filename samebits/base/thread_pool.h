// Threads that wait for short work: a forward pass has hundreds of loops of a millisecond each.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "samebits/base/first_exception.h"

namespace samebits {

/// Made once, used by one caller at a time.
class ThreadPool {
 public:
  /// `threads` counts the caller's own; at least 1. Fewer where the system gives no more.
  explicit ThreadPool(int threads);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls body(i) once for each i in [0, count), items handed out one at a time. Returns when all
  /// are done. An exception of `body` ends the loop early and leaves it when all threads have ended
  /// it. Results must not depend on the order: write to slot i.
  void run(std::size_t count, const std::function<void(std::size_t)>& body);

 private:
  void work();
  void take_items();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<std::uint64_t> round_{0};  // grows with every run()
  std::atomic<std::size_t> next_{0};
  std::atomic<std::size_t> busy_{0};  // workers that have not finished the round
  std::size_t count_ = 0;
  const std::function<void(std::size_t)>* body_ = nullptr;
  bool stop_ = false;
  FirstException exception_;
  std::vector<std::thread> workers_;  // last: they use all of the above
};

}  // namespace samebits
