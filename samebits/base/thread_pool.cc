#include "samebits/base/thread_pool.h"

#include <algorithm>
#include <exception>
#include <limits>
#include <new>
#include <system_error>

#include <sys/resource.h>

#include "samebits/base/float_mode.h"
#include "samebits/base/stop.h"

namespace samebits {
namespace {

// A few microseconds. Work that follows at once finds its threads awake; longer waiting would take
// the processor from those that have something to do.
constexpr int kSpins = 100;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");  // about as long; yield is over at once
#endif
}

/// How often the system took this thread's processor for another one.
long interruptions() {
#if defined(RUSAGE_THREAD)
  rusage usage{};
  if (::getrusage(RUSAGE_THREAD, &usage) == 0) return usage.ru_nivcsw;
#endif
  return 0;
}

template <class Done>
void spin_until(Done done) {
  for (int spins = 0; spins < kSpins && !done(); ++spins) pause();
}

}  // namespace

std::thread try_start(std::function<void()> work) {
  try {
    return std::thread(std::move(work));
  } catch (const std::system_error&) {
    return {};
  } catch (const std::bad_alloc&) {
    return {};
  }
}

/// The items of one run(), handed out in rising order: when one fails, all below it have been begun
/// and will end, so that the lowest that fails is the same however the threads run.
class ThreadPool::Items {
 public:
  using Body = std::function<void(std::size_t, std::size_t)>;

  Items(std::size_t count, std::size_t together, const Body& body)
      : count_(count), together_(together), body_(body), stop_(current_stop()) {}

  bool any_left() const { return next_.load(std::memory_order_relaxed) < limit(); }

  void take(std::size_t thread) {
    const StopScope scope(stop_);
    while (any_left()) {
      const std::size_t first = next_.fetch_add(together_, std::memory_order_relaxed);
      for (std::size_t i = first; i < std::min(first + together_, limit()); ++i) call(i, thread);
    }
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  /// Items from here on are not called.
  std::size_t limit() const { return std::min(count_, failed_.load(std::memory_order_relaxed)); }

  void call(std::size_t i, std::size_t thread) {
    try {
      throw_if_stopped(stop_);
      body_(i, thread);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (i >= failed_) return;
      failed_ = i;
      error_ = std::current_exception();
    }
  }

  std::size_t count_, together_;
  const Body& body_;
  const StopFlag* stop_;  // of the caller's work
  std::atomic<std::size_t> next_{0};
  std::atomic<std::size_t> failed_{std::numeric_limits<std::size_t>::max()};
  std::mutex mutex_;
  std::exception_ptr error_;
};

ThreadPool::ThreadPool(int threads, Starter start)
    : threads_(std::max(threads, 1)), start_(std::move(start)) {}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
    ++round_;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::start_workers(std::size_t wanted) {
  if (workers_.size() >= wanted) return;
  workers_.reserve(static_cast<std::size_t>(threads_ - 1));
  while (workers_.size() < wanted) {
    std::thread worker = start_([this, thread = workers_.size() + 1] { work(thread); });
    if (!worker.joinable()) {
      threads_ = static_cast<int>(workers_.size()) + 1;
      return;
    }
    workers_.push_back(std::move(worker));
  }
}

void ThreadPool::run(std::size_t count, const std::function<void(std::size_t)>& body,
                     std::size_t together) {
  run(count, [&body](std::size_t i, std::size_t) { body(i); }, together);
}

void ThreadPool::run(std::size_t count, const std::function<void(std::size_t, std::size_t)>& body,
                     std::size_t together) {
  const FloatMode contract;
  together = std::clamp<std::size_t>(together, 1, std::max<std::size_t>(count, 1));
  const std::size_t pieces = (count + together - 1) / together;
  const bool small = together > 1 && pieces <= 2 * static_cast<std::size_t>(threads_);
  if (small && rest_ > 0) {
    --rest_;
    return run_alone(count, body);
  }
  std::size_t helpers = std::min(pieces, static_cast<std::size_t>(threads_));
  helpers -= std::min<std::size_t>(helpers, 1);
  if (helpers > 0) start_workers(helpers);
  helpers = std::min(helpers, workers_.size());
  if (helpers == 0) return run_alone(count, body);
  Items items(count, together, body);
  hand_out(items, helpers);
  items.take(0);
  wait_for_workers();
  if (small) weigh_help();
  items.rethrow();
}

void ThreadPool::run_alone(std::size_t count,
                           const std::function<void(std::size_t, std::size_t)>& body) {
  const StopFlag* stop = current_stop();
  for (std::size_t i = 0; i < count; ++i) {
    throw_if_stopped(stop);
    body(i, 0);
  }
}

/// The longer nobody comes, the rarer the question: it can cost as long as another program keeps a
/// processor, a hundred times such a run.
void ThreadPool::weigh_help() {
  constexpr std::size_t kFirst = 16;
  constexpr std::size_t kMost = 4096;
  const bool gained = helped_ && !interrupted_;
  last_rest_ = gained ? 0 : std::clamp(4 * last_rest_, kFirst, kMost);
  rest_ = last_rest_;
}

void ThreadPool::hand_out(Items& items, std::size_t helpers) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    items_ = &items;
    helped_ = interrupted_ = false;
    ++round_;
  }
  if (helpers == workers_.size()) return wake_.notify_all();
  for (std::size_t i = 0; i < helpers; ++i) wake_.notify_one();
}

/// For those that hold items. One that has not even woken, as on a machine with other work, finds
/// nothing to enter for: nobody waits for it.
void ThreadPool::wait_for_workers() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    items_ = nullptr;
  }
  spin_until([this] { return inside_.load(std::memory_order_acquire) == 0; });
  std::unique_lock<std::mutex> lock(mutex_);
  left_.wait(lock, [this] { return inside_ == 0; });
}

void ThreadPool::work(std::size_t thread) {
  const FloatMode contract;
  std::uint64_t seen = 0;
  while (true) {
    spin_until([&] { return round_.load(std::memory_order_acquire) != seen; });
    std::unique_lock<std::mutex> lock(mutex_);
    wake_.wait(lock, [&] { return round_ != seen; });
    seen = round_;
    if (stop_) return;
    if (items_ == nullptr || !items_->any_left()) continue;
    Items& items = *items_;
    ++inside_;
    helped_ = true;
    lock.unlock();
    const long before = interruptions();
    items.take(thread);
    const bool interrupted = interruptions() != before;
    lock.lock();
    interrupted_ = interrupted_ || interrupted;
    if (--inside_ == 0) left_.notify_one();
  }
}

}  // namespace samebits
