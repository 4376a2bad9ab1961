#include "samebits/compare/tolerance.h"

#include <limits>

#include <gtest/gtest.h>

#include "samebits/compare/test_weights.h"

namespace samebits {
namespace {

std::uint64_t beyond(const std::vector<float>& a, const std::vector<float>& b, double relative,
                     double absolute) {
  const auto size = static_cast<std::int64_t>(a.size());
  TestWeights weights;
  weights.add("a", {size}, a).add("b", {size}, b);
  const WeightSet set = weights.set();
  return count_beyond({set[0].view, set[1].view}, {relative, absolute}, 2);
}

TEST(Tolerance, IsRelativeToTheFirstSide) {
  EXPECT_EQ(beyond({100, 1}, {101, 1.5F}, 0.01, 0), 1U);
  EXPECT_EQ(beyond({101, 1}, {100, 1.5F}, 0.0099, 0), 2U);
  EXPECT_EQ(beyond({-8}, {-9}, 0.125, 0), 0U);
}

TEST(Tolerance, AddsAnAbsolutePart) {
  EXPECT_EQ(beyond({0, 0}, {0.25F, 0.5F}, 1, 0.25), 1U);
  EXPECT_EQ(beyond({2}, {3.25F}, 0.5, 0.25), 0U);
}

TEST(Tolerance, OfNothingIsEquality) {
  EXPECT_EQ(beyond({0, 1, 2}, {-0.0F, 1, 2.0000002F}, 0, 0), 1U);
}

TEST(Tolerance, TakesNanForNanAndInfinityForItself) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(beyond({nan, infinity}, {nan, infinity}, 0.1, 1), 0U);
  EXPECT_EQ(beyond({nan, infinity, 1, infinity}, {1, -infinity, infinity, 5}, 0.1, 1e9), 4U);
}

TEST(Tolerance, SeesWhatDoublesOfIntegersDoNot) {
  const std::int64_t large = std::int64_t{1} << 53;
  TestWeights weights;
  weights.add_raw<std::int64_t>("a", DType::int64, {2}, {large, 5});
  weights.add_raw<std::int64_t>("b", DType::int64, {2}, {large + 1, 5});
  const WeightSet set = weights.set();
  EXPECT_EQ(count_beyond({set[0].view, set[1].view}, {0, 0.5}, 1), 1U);
  EXPECT_EQ(count_beyond({set[0].view, set[1].view}, {0, 1}, 1), 0U);
}

TEST(Tolerance, ReadsEveryBlockOfALargeTensor) {
  const std::size_t size = (1U << 16) + 3;
  EXPECT_EQ(beyond(std::vector<float>(size, 0), std::vector<float>(size, 1), 0, 0.5), size);
}

}  // namespace
}  // namespace samebits
