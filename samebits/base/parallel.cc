#include "samebits/base/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>

#include "samebits/base/first_exception.h"

namespace samebits {

void parallel_for(std::size_t count, int threads, const std::function<void(std::size_t)>& body) {
  const std::size_t workers = std::min(count, static_cast<std::size_t>(std::max(threads, 1)));
  std::atomic<std::size_t> next{0};
  FirstException exception;
  const auto work = [&]() noexcept {
    try {
      for (std::size_t i = next++; i < count; i = next++) body(i);
    } catch (...) {
      exception.keep();
      next = count;
    }
  };
  std::vector<std::thread> helpers =
      start_threads(workers - std::min<std::size_t>(workers, 1), work);
  work();
  for (std::thread& helper : helpers) helper.join();
  exception.rethrow();
}

std::vector<std::thread> start_threads(std::size_t count, const std::function<void()>& work) {
  std::vector<std::thread> threads;
  threads.reserve(count);
  try {
    while (threads.size() < count) threads.emplace_back(work);
  } catch (const std::exception&) {  // those that run do the work of all
  }
  return threads;
}

int available_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

}  // namespace samebits
