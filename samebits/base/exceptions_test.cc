#include "samebits/base/exceptions.h"

#include <limits>
#include <new>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

namespace samebits {
namespace {

TEST(Caught, GivesWhatIsMadeAndItsErrors) {
  EXPECT_EQ(caught("x", [] { return Result<int>(3); }), 3);
  const auto refused = caught(
      "x", [] { return Result<int>(fail({.code = ErrorCode::truncated, .what = "short"})); });
  EXPECT_EQ(refused.error().code, ErrorCode::truncated);
}

TEST(Caught, MakesAnErrorOfMemoryThatIsNotThere) {
  volatile std::size_t most = std::numeric_limits<std::size_t>::max();
  const auto too_large = caught("model", []() -> Result<std::size_t> { throw std::bad_alloc(); });
  ASSERT_FALSE(too_large);
  EXPECT_EQ(too_large.error().code, ErrorCode::memory);
  EXPECT_EQ(too_large.error().file, "model");
  const auto impossible = caught("model", [&]() -> Result<std::size_t> {
    return std::vector<double>(most).size();  // std::length_error
  });
  ASSERT_FALSE(impossible);
  EXPECT_EQ(impossible.error().code, ErrorCode::memory);
  EXPECT_STREQ(error_code_name(impossible.error().code), "memory");
}

TEST(Caught, KeepsTheWordsOfAnyOtherException) {
  const auto failed =
      caught("x", []() -> Result<void> { throw std::runtime_error("the disk is on fire"); });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::io);
  EXPECT_EQ(failed.error().what, "the disk is on fire");
}

}  // namespace
}  // namespace samebits
