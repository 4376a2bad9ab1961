#include "samebits/compare/coarse_values.h"

#include <cmath>

#include <gtest/gtest.h>

#include "samebits/compare/test_weights.h"

namespace samebits {
namespace {

using Values = std::vector<float>;

std::optional<CoarseGrid> grid_of(const Values& fine, const Values& coarse, const Shape& shape) {
  TestWeights weights;
  weights.add("fine", shape, fine).add("coarse", shape, coarse);
  const WeightSet set = weights.set();
  return coarse_grid(set[0].view, set[1].view);
}

Values rounded(Values values, float step) {
  for (float& each : values) each = std::nearbyint(each / step) * step;
  return values;
}

TEST(CoarseValues, FindsDecimals) {
  const Values fine = TestWeights::numbers(64, 1);
  Values coarse = fine;
  for (float& each : coarse) each = static_cast<float>(std::nearbyint(each * 1e3) / 1e3);
  const auto grid = grid_of(fine, coarse, {64});
  ASSERT_TRUE(grid.has_value());
  EXPECT_EQ(grid_text(*grid), "3 decimals");
  coarse[63] += 0.001F;  // on the grid, and not the nearest
  EXPECT_FALSE(grid_of(fine, coarse, {64}).has_value());
}

TEST(CoarseValues, FindsLevelsOfRowsOnlyWhereEveryNumberIsOnOne) {
  Values fine = TestWeights::numbers(4096, 2);
  fine[0] = fine[2048] = 0.508F;
  const Values coarse = rounded(fine, 0.508F / 127);
  const auto grid = grid_of(fine, coarse, {2, 2048});
  ASSERT_TRUE(grid.has_value());
  EXPECT_EQ(grid_text(*grid), "8-bit levels, a scale for each tensor");
  Values off = coarse;
  off[4095] += 0.0004F;
  EXPECT_FALSE(grid_of(fine, off, {2, 2048}).has_value());
}

TEST(CoarseValues, FewValuesShowNothing) {
  Values fine(64, 1.0F);
  for (std::size_t i = 0; i < fine.size(); ++i) fine[i] += 1e-4F * static_cast<float>(i);
  EXPECT_FALSE(grid_of(fine, Values(64, 1.0F), {64}).has_value());
}

TEST(CoarseValues, NumbersAllNearOneLevelAreNoCodes) {
  Values fine = TestWeights::numbers(64, 4), coarse = TestWeights::numbers(64, 5);
  for (float& each : fine) each = 1 + each * 1e-4F;
  for (float& each : coarse) each = 1 + each * 1e-4F;
  EXPECT_FALSE(grid_of(fine, coarse, {64}).has_value());
}

TEST(CoarseValues, NumbersThatAreNotFiniteLieOnNoGrid) {
  const Values fine = TestWeights::numbers(64, 3);
  Values coarse = rounded(fine, 0x1p-8F);
  EXPECT_TRUE(grid_of(fine, coarse, {8, 8}).has_value());
  coarse[5] = NAN;
  EXPECT_FALSE(grid_of(fine, coarse, {8, 8}).has_value());
}

TEST(CoarseValues, ASmallTensorFollowsAGridThatItDoesNotShow) {
  TestWeights weights;
  weights.add("fine", {2}, {0.12345F, 1.0F}).add("coarse", {2}, {0.123F, 1.0F});
  const WeightSet set = weights.set();
  CoarseGrid grid{.kind = CoarseGrid::Kind::decimals, .number = 3};
  EXPECT_TRUE(follows_grid(set[0].view, set[1].view, grid));
  grid.number = 2;
  EXPECT_FALSE(follows_grid(set[0].view, set[1].view, grid));
}

}  // namespace
}  // namespace samebits
