#include "samebits/base/thread_pool.h"

#include <algorithm>

#include "samebits/base/parallel.h"

namespace samebits {
namespace {

// About the time that waking a sleeping thread takes.
constexpr int kSpins = 20'000;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads)
    : workers_(
          start_threads(static_cast<std::size_t>(std::max(threads, 1) - 1), [this] { work(); })) {}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
    ++round_;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(std::size_t count, const std::function<void(std::size_t)>& body) {
  if (workers_.empty() || count <= 1) {
    for (std::size_t i = 0; i < count; ++i) body(i);
    return;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    body_ = &body;
    count_ = count;
    next_ = 0;
    busy_ = workers_.size();
    ++round_;
  }
  wake_.notify_all();
  take_items();
  for (int spins = 0; busy_.load(std::memory_order_acquire) > 0; ++spins) {
    if (spins < kSpins) {
      pause();
    } else {
      std::this_thread::yield();
    }
  }
  exception_.rethrow();
}

void ThreadPool::take_items() {
  try {
    for (std::size_t i = next_++; i < count_; i = next_++) (*body_)(i);
  } catch (...) {
    exception_.keep();
    next_ = count_;
  }
}

void ThreadPool::work() {
  std::uint64_t seen = 0;
  while (true) {
    for (int spins = 0; spins < kSpins && round_.load(std::memory_order_acquire) == seen; ++spins)
      pause();
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return round_.load() != seen; });
      seen = round_.load();
      if (stop_) return;
    }
    take_items();
    busy_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace samebits
