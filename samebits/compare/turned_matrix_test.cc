#include "samebits/compare/turned_matrix.h"

#include <cmath>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

namespace samebits {
namespace {

constexpr std::int64_t kSide = 16;

using Values = std::vector<float>;

TensorView view_of(const Values& values) {
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(values.data()), 4 * values.size());
  return *TensorView::make(DType::float32, {kSide, kSide}, contiguous_strides({kSide, kSide}), 0,
                           bytes);
}

/// Numbers without a pattern, larger from row to row.
Values numbers(std::uint32_t seed) {
  Values values(kSide * kSide);
  for (std::size_t i = 0; i < values.size(); ++i) {
    seed = seed * 1664525u + 1013904223u;
    values[i] = (static_cast<float>(seed >> 8) / 8388608.0F - 1.0F) *
                (1.0F + static_cast<float>(i / kSide));
  }
  return values;
}

/// Turns pairs of columns by an angle.
Values turned_from_the_right(Values values) {
  const float c = std::cos(1.0F);
  const float s = std::sin(1.0F);
  for (std::int64_t row = 0; row < kSide; ++row) {
    for (std::int64_t at = 0; at < kSide; at += 2) {
      float& x = values[static_cast<std::size_t>(row * kSide + at)];
      float& y = values[static_cast<std::size_t>(row * kSide + at + 1)];
      const float old = x;
      x = c * x - s * y;
      y = s * old + c * y;
    }
  }
  return values;
}

Values transposed(const Values& values) {
  Values turned(values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    turned[(i % kSide) * kSide + i / kSide] = values[i];
  return turned;
}

TEST(TurnedMatrix, KeepsLengthsOfRowsOrColumns) {
  const Values a = numbers(1);
  const Values b = turned_from_the_right(a);
  EXPECT_EQ(turned_matrix(view_of(a), view_of(b)), Turned::rows);
  const Values left = transposed(a);
  const Values right = transposed(b);
  EXPECT_EQ(turned_matrix(view_of(left), view_of(right)), Turned::columns);
}

TEST(TurnedMatrix, OtherDrawsAreNotTurned) {
  const Values a = numbers(1);
  const Values b = numbers(2);
  EXPECT_EQ(turned_matrix(view_of(a), view_of(b)), Turned::no);
}

TEST(TurnedMatrix, RowsOfOneLengthShowNothing) {
  Values a = numbers(1);
  Values b = numbers(2);
  for (Values* values : {&a, &b}) {
    for (std::size_t row = 0; row < kSide; ++row) {
      float length = 0;
      for (std::size_t i = 0; i < kSide; ++i) length += std::pow((*values)[row * kSide + i], 2.0F);
      for (std::size_t i = 0; i < kSide; ++i) (*values)[row * kSide + i] /= std::sqrt(length);
    }
  }
  EXPECT_EQ(turned_matrix(view_of(a), view_of(b)), Turned::no);
}

}  // namespace
}  // namespace samebits
