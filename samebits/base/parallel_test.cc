#include "samebits/base/parallel.h"

#include <atomic>
#include <stdexcept>
#include <string>
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

TEST(ParallelFor, ThrowsWhatItsLowestItemThrows) {
  for (const int threads : {1, 4}) {
    const auto body = [](std::size_t i) {
      if (i >= 20) throw std::runtime_error(std::to_string(i));
    };
    try {
      parallel_for(1000, threads, body);
      FAIL() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "20");
    }
  }
}

TEST(AvailableThreads, IsAtLeastOne) { EXPECT_GE(available_threads(), 1); }

}  // namespace
}  // namespace samebits
