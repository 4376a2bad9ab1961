#include "samebits/base/parallel.h"

#include <pthread.h>

#include <atomic>
#include <new>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace samebits {
namespace {

TEST(ParallelFor, CallsEachIndexOnce) {
  for (const int threads : {0, 1, 2, 5}) {
    std::vector<std::atomic<int>> calls(100);
    parallel_for(calls.size(), threads, [&](std::size_t i) { ++calls[i]; });
    for (const auto& count : calls) EXPECT_EQ(count, 1) << threads << " threads";
  }
}

TEST(ParallelFor, DoesNothingForNothing) {
  parallel_for(0, 4, [](std::size_t) { FAIL(); });
}

TEST(ParallelFor, StaysOnTheCallersThreadForOne) {
  const auto caller = std::this_thread::get_id();
  parallel_for(3, 1, [&](std::size_t) { EXPECT_EQ(std::this_thread::get_id(), caller); });
  parallel_for(1, 8, [&](std::size_t) { EXPECT_EQ(std::this_thread::get_id(), caller); });
}

TEST(ParallelFor, AnExceptionLeavesItWhenAllHaveEnded) {
  for (const int threads : {1, 4}) {
    std::atomic<int> inside{0};
    const auto body = [&](std::size_t i) {
      ++inside;
      if (i == 3) {
        --inside;
        throw std::bad_alloc();
      }
      --inside;
    };
    EXPECT_THROW(parallel_for(100, threads, body), std::bad_alloc);
    EXPECT_EQ(inside, 0);
  }
}

TEST(StartThreads, GivesFewerWhereTheSystemGivesNoMore) {
  pthread_attr_t before, larger;
  ASSERT_EQ(pthread_getattr_default_np(&before), 0);
  ASSERT_EQ(pthread_getattr_default_np(&larger), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&larger, std::size_t{1} << 50), 0);
  ASSERT_EQ(pthread_setattr_default_np(&larger), 0);
  const std::vector<std::thread> none = start_threads(2, [] {});
  std::vector<int> calls(5);
  parallel_for(calls.size(), 3, [&](std::size_t i) { ++calls[i]; });
  ASSERT_EQ(pthread_setattr_default_np(&before), 0);
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(calls, std::vector<int>(5, 1));
}

TEST(AvailableThreads, IsAtLeastOne) { EXPECT_GE(available_threads(), 1); }

}  // namespace
}  // namespace samebits
