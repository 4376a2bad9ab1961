#include "samebits/compare/dequantized.h"

#include <gmock/gmock.h>

#include "samebits/compare/test_weights.h"

namespace samebits {
namespace {

TensorView int8_of(TestWeights& made, Shape shape, const std::vector<std::int8_t>& values,
                   DType type = DType::int8) {
  made.add_raw("q", type, std::move(shape), values);
  return made.set().tensors().back().view;
}
TensorView floats_of(TestWeights& made, Shape shape, const std::vector<float>& values) {
  made.add("w", std::move(shape), values);
  return made.set().tensors().back().view;
}

TEST(Dequantized, TheLargestDistanceIsCountedInStepsOfItsScale) {
  TestWeights made;
  const TensorView q = int8_of(made, {2, 2}, {1, -2, 3, 4});
  const TensorView w = floats_of(made, {2, 2}, {0.5F, -1.0F, 31.0F, 40.0F});
  const auto error = dequantized_error(q, {{0.5, 10}, {}, 0}, w);
  ASSERT_TRUE(error);
  EXPECT_DOUBLE_EQ(error->steps, 0.1);
  EXPECT_EQ(error->beyond, 0U);
}

TEST(Dequantized, FurtherThanARoundingIsCounted) {
  TestWeights made;
  const TensorView q = int8_of(made, {1, 3}, {0, 1, 2}, DType::qint8);
  const TensorView w = floats_of(made, {1, 3}, {0.0F, 1.5F, 3.0F});
  const auto error = dequantized_error(q, {{1.0}, {0}, 0}, w);
  ASSERT_TRUE(error);
  EXPECT_DOUBLE_EQ(error->steps, 1.0);
  EXPECT_EQ(error->beyond, 1U);
}

TEST(Dequantized, AxisAndZeroPointsAreFollowed) {
  TestWeights made;
  const TensorView q = int8_of(made, {2, 2}, {11, 22, 12, 24}, DType::quint8);
  const TensorView w = floats_of(made, {2, 2}, {1, 20, 2, 40});
  const auto error = dequantized_error(q, {{1.0, 10.0}, {10, 20}, 1}, w);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->steps, 0);
  EXPECT_GT(dequantized_error(q, {{1.0, 10.0}, {10, 20}, 0}, w)->steps, 1);
}

TEST(Dequantized, WhatDoesNotFitIsNotComputed) {
  TestWeights made;
  const TensorView q = int8_of(made, {2, 2}, {1, 2, 3, 4});
  const TensorView other = floats_of(made, {4}, {1, 2, 3, 4});
  EXPECT_FALSE(dequantized_error(q, {{1.0}, {}, 0}, other));
  const TensorView w = floats_of(made, {2, 2}, {1, 2, 3, 4});
  EXPECT_FALSE(dequantized_error(q, {{1.0, 1.0, 1.0}, {}, 0}, w));
  EXPECT_FALSE(dequantized_error(q, {{1.0, 1.0}, {0}, 0}, w));
  EXPECT_FALSE(dequantized_error(w, {{1.0}, {}, 0}, w));
}

TEST(Dequantized, ARowWithoutScaleIsItsZerosOnly) {
  TestWeights made;
  const TensorView q = int8_of(made, {2, 1}, {0, 1});
  EXPECT_EQ(dequantized_error(q, {{0, 1}, {}, 0}, floats_of(made, {2, 1}, {0, 1}))->steps, 0);
  EXPECT_EQ(dequantized_error(q, {{0, 1}, {}, 0}, floats_of(made, {2, 1}, {1, 1}))->beyond, 1U);
}

}  // namespace
}  // namespace samebits
