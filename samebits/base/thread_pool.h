// Threads that wait for short work: a forward pass has hundreds of loops of a millisecond each.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace samebits {

/// Starts a thread that does `work`; one that is not joinable where the system has no more threads
/// or no memory for one.
std::thread try_start(std::function<void()> work);

/// Made once, used by one caller at a time. A thread is started when there is first work for it,
/// and those that wait give their processor away.
class ThreadPool {
 public:
  using Starter = std::function<std::thread(std::function<void()>)>;

  /// `threads` counts the caller's own; less than 1 is 1. `start` is for tests.
  explicit ThreadPool(int threads, Starter start = try_start);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  /// How many work at most: fewer than asked for once the system had no more.
  int threads() const { return threads_; }

  /// Calls body(i) once for each i in [0, count), each in the contract's FloatMode. `together`
  /// items in a row are handed out at a time: as many as are worth waking a thread for; where that
  /// is all of them, the caller's thread does them alone. Returns when all are done. Results must
  /// not depend on the order: write to slot i.
  ///
  /// Where the last piece would be waited for longer than it takes, as on a machine with other
  /// work, threads gain nothing: when a few pieces of several items were done before another thread
  /// came, or one was interrupted at them, the caller's thread does the next such runs alone.
  ///
  /// Where bodies throw, the exception of the lowest such i is thrown here, and items behind it
  /// that were not begun are left out. The pool can be used again. So ends a run whose work is to
  /// stop (stop.h).
  void run(std::size_t count, const std::function<void(std::size_t)>& body,
           std::size_t together = 1);
  /// The same with body(i, thread), thread < threads(): no two calls at a time have the same.
  void run(std::size_t count, const std::function<void(std::size_t, std::size_t)>& body,
           std::size_t together = 1);

 private:
  class Items;
  void start_workers(std::size_t wanted);
  void work(std::size_t thread);
  void run_alone(std::size_t count, const std::function<void(std::size_t, std::size_t)>& body);
  void hand_out(Items& items, std::size_t helpers);
  void wait_for_workers();
  void weigh_help();

  int threads_;
  Starter start_;
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;         // workers: there are items, or it is the end
  std::condition_variable left_;         // the caller: no worker is inside
  std::atomic<std::uint64_t> round_{0};  // grows with every run()
  std::atomic<std::size_t> inside_{0};   // workers that may hold items; changed under the mutex
  Items* items_ = nullptr;               // what a worker may enter for
  bool stop_ = false;
  bool helped_ = false;        // in this run a worker had items
  bool interrupted_ = false;   // and lost its processor with them
  std::size_t rest_ = 0;       // small runs that the caller does alone
  std::size_t last_rest_ = 0;  // how many it did the last time; grows as long as no help comes
};

}  // namespace samebits
