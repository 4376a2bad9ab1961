#include "samebits/quantized/step_error.h"

#include <gmock/gmock.h>

#include "samebits/quantized/forms.h"
#include "samebits/quantized/test_checkpoint.h"

namespace samebits {
namespace {

QuantizedWeight int8_of(const TestCheckpoint& made, std::vector<double> scales,
                        std::vector<double> zeros = {}) {
  const TensorView& view = made.get().entries[0].view;
  QuantizedWeight weight;
  set_shape(weight, view.shape());
  weight.codes = *BitCodes::in_rows(view, 8);
  weight.values = *CodeValues::of_bytes(DType::int8);
  weight.scales = std::move(scales);
  weight.zeros = std::move(zeros);
  if (weight.scales.size() > 1) weight.grid = {.block_columns = weight.columns, .row_step = 1};
  EXPECT_TRUE(weight.fits());
  return weight;
}

TestCheckpoint codes(Shape shape, const std::vector<std::int8_t>& values) {
  TestCheckpoint made;
  made.add("q", DType::int8, std::move(shape), values);
  return made;
}

std::optional<StepError> error_against(const QuantizedWeight& weight,
                                       const std::vector<float>& numbers) {
  TestCheckpoint plain;
  plain.add("w", DType::float32, weight.shape, numbers);
  return step_error(weight, plain.get().entries[0].view, 2);
}

TEST(StepError, TheLargestDistanceIsCountedInStepsOfItsScale) {
  const TestCheckpoint made = codes({2, 2}, {1, -2, 3, 4});
  const auto error = error_against(int8_of(made, {0.5, 10}), {0.5F, -1.0F, 31.0F, 40.0F});
  ASSERT_TRUE(error);
  EXPECT_DOUBLE_EQ(error->steps, 0.1);
  EXPECT_EQ(error->beyond, 0U);
  EXPECT_DOUBLE_EQ(error->squared_error, 1);
  EXPECT_EQ(error->unequal, 1U);
}

TEST(StepError, FurtherThanARoundingIsCounted) {
  const TestCheckpoint made = codes({1, 3}, {0, 1, 2});
  const auto error = error_against(int8_of(made, {1.0}), {0.0F, 1.5F, 3.0F});
  EXPECT_DOUBLE_EQ(error->steps, 1.0);
  EXPECT_EQ(error->beyond, 1U);
}

TEST(StepError, ZeroPointsAreTakenAway) {
  const TestCheckpoint made = codes({2, 2}, {11, 12, 22, 24});
  EXPECT_EQ(error_against(int8_of(made, {1, 10}, {10, 20}), {1, 2, 20, 40})->steps, 0);
  EXPECT_GT(error_against(int8_of(made, {1, 10}, {20, 10}), {1, 2, 20, 40})->steps, 1);
}

TEST(StepError, StepsOfATableAreThoseBetweenItsNumbers) {
  TestCheckpoint made;
  made.add<std::uint8_t>("q", DType::uint8, {1, 1}, {0x01});
  QuantizedWeight weight;
  set_shape(weight, {1, 2});
  weight.codes = *BitCodes::in_one_line(made.get().entries[0].view, 4, kHighFirst);
  weight.values = *CodeValues::of_table({-1, 0, 4, 4});
  weight.scales = {2};
  // The codes are 0 and 1: -2 and 0. Up from 0 a step is 8, down it is 2.
  EXPECT_DOUBLE_EQ(error_against(weight, {-2, 4})->steps, 0.5);
  EXPECT_DOUBLE_EQ(error_against(weight, {-2, -1})->steps, 0.5);
  EXPECT_DOUBLE_EQ(error_against(weight, {-3, 0})->steps, 0.5);
  weight.scales = {-2};
  EXPECT_DOUBLE_EQ(error_against(weight, {2, -4})->steps, 0.5);
}

TEST(StepError, FloatsOfAByteHaveWiderStepsFurtherOut) {
  TestCheckpoint made;
  made.add<std::uint8_t>("q", DType::float8_e4m3fn, {1, 2}, {0x38, 0x7e});  // 1 and 448
  QuantizedWeight weight;
  set_shape(weight, {1, 2});
  weight.codes = *BitCodes::in_rows(made.get().entries[0].view, 8);
  weight.values = *CodeValues::of_bytes(DType::float8_e4m3fn);
  weight.scales = {1};
  EXPECT_DOUBLE_EQ(error_against(weight, {1.0625F, 448})->steps, 0.5);
  EXPECT_DOUBLE_EQ(error_against(weight, {0.96875F, 448})->steps, 0.5);
  EXPECT_DOUBLE_EQ(error_against(weight, {1, 432})->steps, 0.5);
  EXPECT_DOUBLE_EQ(error_against(weight, {1, 464})->steps, 0.5);
}

TEST(StepError, ArithmeticInBfloat16LeavesMore) {
  const TestCheckpoint made = codes({1, 2}, {100, 1});
  QuantizedWeight weight = int8_of(made, {1});
  EXPECT_EQ(error_against(weight, {101, 1})->beyond, 1U);
  weight.result = DType::bfloat16;
  EXPECT_EQ(error_against(weight, {101, 1})->beyond, 0U);
  EXPECT_EQ(error_against(weight, {100, 1.7F})->beyond, 1U);
}

TEST(StepError, ARowWithoutScaleIsItsZerosOnly) {
  const TestCheckpoint made = codes({2, 1}, {0, 1});
  EXPECT_EQ(error_against(int8_of(made, {0, 1}), {0, 1})->steps, 0);
  EXPECT_EQ(error_against(int8_of(made, {0, 1}), {1, 1})->beyond, 1U);
}

TEST(StepError, WhatDoesNotFitIsNotComputed) {
  const TestCheckpoint made = codes({2, 2}, {1, 2, 3, 4});
  const QuantizedWeight weight = int8_of(made, {1.0});
  TestCheckpoint other;
  other.add<float>("w", DType::float32, {4}, {1, 2, 3, 4});
  EXPECT_FALSE(step_error(weight, other.get().entries[0].view, 1));
  EXPECT_FALSE(step_error(weight, made.get().entries[0].view, 1));
}

TEST(QuantizedWeight, AGridThatReachesPastTheScalesDoesNotFit) {
  const TestCheckpoint made = codes({2, 2}, {1, 2, 3, 4});
  QuantizedWeight weight = int8_of(made, {1, 2});
  weight.scales.pop_back();
  EXPECT_FALSE(weight.fits());
  weight.grid = {.block_rows = 2, .block_columns = 2, .row_step = 1, .column_step = 1};
  EXPECT_TRUE(weight.fits());
  weight.grid.column_block = {0, 1};
  EXPECT_FALSE(weight.fits());
  weight.grid.column_block = {0};
  EXPECT_FALSE(weight.fits());
  weight.grid.column_block.clear();
  weight.zeros = {0, 0};
  EXPECT_FALSE(weight.fits());
  weight.zeros.clear();
  set_shape(weight, {2, 3});
  EXPECT_FALSE(weight.fits());
}

TEST(StepError, DoesNotDependOnThreads) {
  const std::size_t count = (1 << 20) + 3;
  std::vector<std::int8_t> values(count);
  std::vector<float> numbers(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = static_cast<std::int8_t>(i % 200);
    numbers[i] = static_cast<float>(values[i]) + static_cast<float>(i % 7) / 16;
  }
  const TestCheckpoint made = codes({1, static_cast<std::int64_t>(count)}, values);
  TestCheckpoint plain;
  plain.add("w", DType::float32, {1, static_cast<std::int64_t>(count)}, numbers);
  const QuantizedWeight weight = int8_of(made, {1});
  const auto one = step_error(weight, plain.get().entries[0].view, 1);
  const auto three = step_error(weight, plain.get().entries[0].view, 3);
  EXPECT_EQ(one->squared_error, three->squared_error);
  EXPECT_EQ(one->unequal, three->unequal);
  EXPECT_EQ(one->steps, 0.375);
  EXPECT_EQ(one->elements, count);
  EXPECT_GT(one->unequal, count / 2);
}

TEST(StepError, AScaleThatWasRoundedLeavesMore) {
  const TestCheckpoint made = codes({1, 2}, {100, 1});
  QuantizedWeight weight = int8_of(made, {1});
  weight.scale_error = 0.01;
  EXPECT_EQ(error_against(weight, {101.5F, 1})->beyond, 0U);
  EXPECT_EQ(error_against(weight, {100, 1.6F})->beyond, 1U);
}

TEST(CodeDifference, CodesScalesAndNumbersAreToldApart) {
  const TestCheckpoint first = codes({1, 3}, {1, 2, 3});
  const TestCheckpoint second = codes({1, 3}, {1, 4, 3});
  const auto of_codes = code_difference(int8_of(first, {1}), int8_of(second, {1}), 2);
  ASSERT_TRUE(of_codes);
  EXPECT_EQ(of_codes->codes, 1U);
  EXPECT_EQ(of_codes->numbers, 1U);
  EXPECT_FALSE(of_codes->scales);
  EXPECT_DOUBLE_EQ(of_codes->squared_change, 4);
  const auto of_scales = code_difference(int8_of(first, {1}), int8_of(first, {2}), 2);
  EXPECT_EQ(of_scales->codes, 0U);
  EXPECT_EQ(of_scales->numbers, 3U);
  EXPECT_TRUE(of_scales->scales);
  const TestCheckpoint zeros = codes({1, 3}, {0, 0, 0});
  EXPECT_EQ(code_difference(int8_of(zeros, {1}), int8_of(zeros, {2}), 2)->numbers, 0U);
}

}  // namespace
}  // namespace samebits
