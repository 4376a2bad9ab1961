#include "samebits/base/thread_pool.h"

#include <new>

#include <gtest/gtest.h>

namespace samebits {
namespace {

TEST(ThreadPool, CallsEveryItemOnce) {
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const std::size_t count : {0U, 1U, 2U, 100U}) {
      std::vector<int> calls(count, 0);
      pool.run(count, [&](std::size_t i) { ++calls[i]; });
      EXPECT_EQ(calls, std::vector<int>(count, 1));
    }
  }
}

TEST(ThreadPool, ManyShortRunsFollowEachOther) {
  ThreadPool pool(3);
  std::atomic<std::size_t> sum = 0;
  for (int round = 0; round < 2000; ++round) pool.run(5, [&](std::size_t i) { sum += i; });
  EXPECT_EQ(sum, 2000U * 10);
}

TEST(ThreadPool, AnExceptionLeavesARunAndThePoolWorksOn) {
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    const auto body = [](std::size_t i) {
      if (i == 3) throw std::bad_alloc();
    };
    EXPECT_THROW(pool.run(100, body), std::bad_alloc);
    std::atomic<int> calls = 0;
    pool.run(10, [&](std::size_t) { ++calls; });
    EXPECT_EQ(calls, 10);
  }
}

TEST(ThreadPool, LessThanOneThreadIsOne) { EXPECT_EQ(ThreadPool(0).threads(), 1); }

}  // namespace
}  // namespace samebits
