#include "samebits/base/stop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

#include "samebits/base/parallel.h"

namespace samebits {
namespace {

TEST(Stop, WorkOutsideOfAScopeIsNotStopped) {
  std::atomic<int> done{0};
  parallel_for(100, 2, [&](std::size_t) { ++done; });
  EXPECT_EQ(done, 100);
}

TEST(Stop, ALoopEndsWithinItsItemsWhenTheFlagIsSet) {
  for (const int threads : {1, 3}) {
    StopFlag flag{false};
    const StopScope scope(&flag);
    std::atomic<int> done{0};
    const auto loop = [&] {
      parallel_for(100'000, threads, [&](std::size_t) {
        if (++done == 10) flag = true;
      });
    };
    EXPECT_THROW(loop(), std::runtime_error);
    EXPECT_GE(done, 10);
    EXPECT_LT(done, 100'000);
  }
}

TEST(Stop, LoopsInsideOfLoopsBelongToTheSameWork) {
  StopFlag flag{false};
  const StopScope scope(&flag);
  std::atomic<int> seen{0};
  parallel_for(8, 3, [&](std::size_t) {
    parallel_for(2, 2, [&](std::size_t) { seen += current_stop() == &flag ? 1 : 0; });
  });
  EXPECT_EQ(seen, 16);
}

TEST(Stop, TheEndOfAScopeGivesBackTheOneBefore) {
  StopFlag outer{false};
  StopFlag inner{true};
  const StopScope first(&outer);
  {
    const StopScope second(&inner);
    EXPECT_THROW(throw_if_stopped(current_stop()), std::runtime_error);
  }
  throw_if_stopped(current_stop());
  EXPECT_EQ(current_stop(), &outer);
}

}  // namespace
}  // namespace samebits
