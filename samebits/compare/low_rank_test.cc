#include "samebits/compare/low_rank.h"

#include <gtest/gtest.h>

#include "samebits/compare/test_weights.h"

namespace samebits {
namespace {

constexpr std::int64_t kRows = 48, kColumns = 40;

/// A matrix, and the same plus a product of factors of that rank, rounded to float32. Each column
/// of the factors counts `fading` times as much as the one before it.
TestWeights merged(int rank, float fading = 1) {
  const std::vector<float> base = TestWeights::numbers(kRows * kColumns, 1);
  const std::vector<float> left = TestWeights::numbers(kRows * 64, 2);
  const std::vector<float> right = TestWeights::numbers(kColumns * 64, 3);
  std::vector<float> sum = base;
  for (std::int64_t i = 0; i < kRows; ++i) {
    for (std::int64_t j = 0; j < kColumns; ++j) {
      float weight = 1;
      for (int k = 0; k < rank; ++k, weight *= fading)
        sum[static_cast<std::size_t>(i * kColumns + j)] +=
            weight * left[static_cast<std::size_t>(i * 64 + k)] *
            right[static_cast<std::size_t>(j * 64 + k)];
    }
  }
  return TestWeights().add("a", {kRows, kColumns}, base).add("b", {kRows, kColumns}, sum);
}

std::optional<LowRank> difference(const TestWeights& weights) {
  const WeightSet set = weights.set();
  return low_rank_difference(set[0].view, set[1].view);
}

TEST(LowRank, TheRankOfAMergedProductIsFound) {
  for (const int rank : {1, 2, 4, 8, 11, 20, 28}) {
    const auto found = difference(merged(rank));
    ASSERT_TRUE(found) << rank;
    EXPECT_EQ(found->rank, static_cast<std::uint32_t>(rank));
    EXPECT_LT(found->residual, 1e-5);
  }
}

TEST(LowRank, AFullRankOrEqualMatrixHasNone) {
  EXPECT_FALSE(difference(merged(40)));
  EXPECT_FALSE(difference(merged(31)));  // above three quarters of the smaller side
  EXPECT_FALSE(difference(merged(0)));
}

TEST(LowRank, ManyRanksThatFadeIntoTheNoiseAreATrainings) {
  EXPECT_FALSE(difference(merged(40, 0.4F)));
}

TEST(LowRank, OtherShapesAndSmallMatricesAreNotAsked) {
  EXPECT_FALSE(difference(TestWeights().random("a", {16, 16}, 1).random("b", {16, 8}, 2)));
  EXPECT_FALSE(difference(TestWeights().random("a", {4, 64}, 1).random("b", {4, 64}, 2)));
  EXPECT_FALSE(difference(TestWeights().random("a", {64}, 1).random("b", {64}, 2)));
}

}  // namespace
}  // namespace samebits
