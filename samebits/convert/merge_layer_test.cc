#include "samebits/convert/merge_layer.h"

#include <cmath>
#include <cstring>
#include <deque>
#include <vector>

#include <gtest/gtest.h>

#include "samebits/base/float_mode.h"

namespace samebits {
namespace {

class MergeLayerTest : public testing::Test {
 protected:
  /// A view of numbers that the test keeps.
  TensorView tensor(Shape shape, const std::vector<float>& values) {
    kept_.push_back(values);
    const Bytes bytes(reinterpret_cast<const std::uint8_t*>(kept_.back().data()),
                      kept_.back().size() * sizeof(float));
    return *TensorView::make(DType::float32, shape, contiguous_strides(shape), 0, bytes);
  }
  std::vector<float> merged(const TensorView& base, const LowRankUpdate& update) {
    std::vector<std::uint8_t> bytes(base.nbytes());
    EXPECT_TRUE(merge_weight(base, update, pool_, bytes));
    std::vector<float> values(base.numel());
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }

  const FloatMode contract_;
  ThreadPool pool_{2};
  std::deque<std::vector<float>> kept_;
};

TEST_F(MergeLayerTest, AddsTheScaledProduct) {
  const LowRankUpdate update{
      .down = tensor({1, 3}, {1, 2, 3}), .up = tensor({2, 1}, {1, -1}), .scale = 0.5};
  EXPECT_EQ(shape_of_update(update), (Shape{2, 3}));
  EXPECT_EQ(merged(tensor({2, 3}, {10, 10, 10, 20, 20, 20}), update),
            (std::vector<float>{10.5, 11, 11.5, 19.5, 19, 18.5}));
}

TEST_F(MergeLayerTest, ATransposedWeightGetsTheTransposedProduct) {
  const LowRankUpdate update{
      .down = tensor({1, 3}, {1, 2, 3}), .up = tensor({2, 1}, {1, -1}), .transposed = true};
  EXPECT_EQ(shape_of_update(update), (Shape{3, 2}));
  EXPECT_EQ(merged(tensor({3, 2}, {0, 0, 0, 0, 0, 0}), update),
            (std::vector<float>{1, -1, 2, -2, 3, -3}));
}

TEST_F(MergeLayerTest, SumsAreOneChainOfFusedMultiplyAdds) {
  std::vector<float> down, up;
  for (int k = 0; k < 9; ++k) {
    down.push_back(1.0F / static_cast<float>(k + 3));
    up.push_back(static_cast<float>(k) - 3.7F);
  }
  float sum = 0;
  for (std::size_t k = 0; k < 9; ++k) sum = std::fma(up[k], down[k], sum);
  const LowRankUpdate update{.down = tensor({9, 1}, down), .up = tensor({1, 9}, up)};
  EXPECT_EQ(merged(tensor({1, 1}, {0}), update), (std::vector<float>{sum}));
}

TEST_F(MergeLayerTest, KernelsOfAConvolutionAreColumns) {
  const LowRankUpdate update{.down = tensor({1, 1, 2, 2}, {1, 2, 3, 4}),
                             .up = tensor({2, 1, 1, 1}, {1, 10})};
  EXPECT_EQ(shape_of_update(update), (Shape{2, 1, 2, 2}));
  EXPECT_EQ(merged(tensor({2, 1, 2, 2}, std::vector<float>(8)), update),
            (std::vector<float>{1, 2, 3, 4, 10, 20, 30, 40}));
}

TEST_F(MergeLayerTest, MagnitudesAreTheLengthsOfRows) {
  const LowRankUpdate update{.down = tensor({1, 2}, {0, 0}),
                             .up = tensor({2, 1}, {0, 0}),
                             .magnitudes = tensor({2}, {10, 1})};
  EXPECT_EQ(merged(tensor({2, 2}, {3, 4, 0, 2}), update), (std::vector<float>{6, 8, 0, 1}));
}

TEST_F(MergeLayerTest, FactorsThatDoNotFitTogetherHaveNoShape) {
  const TensorView down = tensor({2, 3}, std::vector<float>(6));
  EXPECT_FALSE(shape_of_update({.down = down, .up = tensor({3, 1}, {1, 2, 3})}));
  EXPECT_FALSE(shape_of_update({.down = down}));
  EXPECT_FALSE(shape_of_update(
      {.down = down, .up = tensor({2, 2}, {1, 2, 3, 4}), .magnitudes = tensor({3}, {1, 1, 1})}));
}

TEST_F(MergeLayerTest, NoNaNIsWritten) {
  const LowRankUpdate update{.down = tensor({1, 1}, {INFINITY}), .up = tensor({1, 1}, {1})};
  std::vector<std::uint8_t> bytes(sizeof(float));
  const Result<void> merged = merge_weight(tensor({1, 1}, {-INFINITY}), update, pool_, bytes);
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error().what, "merged it would hold NaN");
}

}  // namespace
}  // namespace samebits
