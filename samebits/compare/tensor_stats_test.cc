#include "samebits/compare/tensor_stats.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>

#include "samebits/base/test_float_mode.h"
#include "samebits/compare/rounding.h"
#include "samebits/compare/test_weights.h"

namespace samebits {
namespace {

using testing::DoubleNear;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

ValueRelation relate(const TestWeights& a, const TestWeights& b, int threads = 1) {
  const WeightSet x = a.set();
  const WeightSet y = b.set();
  return relate_values({{x[0].view, y[0].view}}, threads)[0];
}

ValueRelation relate(Shape shape, const std::vector<float>& a, const std::vector<float>& b) {
  return relate(TestWeights().add("w", shape, a), TestWeights().add("w", shape, b));
}

TEST(TensorStats, OfOneChangedElement) {
  const TensorStats stats = relate({2, 2}, {1, 2, 3, 4}, {1, 2, 3.5F, 4}).stats;
  EXPECT_EQ(stats.elements, 4U);
  EXPECT_EQ(stats.differing, 1U);
  EXPECT_EQ(stats.first, 2U);
  EXPECT_EQ(stats.max_abs, 0.5);
  EXPECT_EQ(stats.mean_abs, 0.125);
  EXPECT_EQ(stats.max_relative, 0.5 / 3.5);
  EXPECT_EQ(stats.rows, 2U);
  EXPECT_EQ(stats.rows_differing, 1U);
  EXPECT_THAT(stats.relative_norm, DoubleNear(0.5 / std::sqrt(30), 1e-15));
  EXPECT_EQ(stats.pattern, "one element");
}

TEST(TensorStats, AreTheSameInAnyFloatModeOfTheCaller) {
  constexpr float kTiny = 0x1p-140F;
  const auto measured = [] {
    return relate({2, 3}, {kTiny, 1, 3, 0.1F, 5, 2 * kTiny}, {2 * kTiny, 7, 3, 0.3F, 5, kTiny});
  };
  const TensorStats wanted = measured().stats;
  const OddFloatMode odd;
  const TensorStats found = measured().stats;
  EXPECT_TRUE(odd.holds());
  EXPECT_EQ(found.differing, 4U);
  EXPECT_EQ(found.mean_abs, wanted.mean_abs);
  EXPECT_EQ(found.max_relative, wanted.max_relative);
  EXPECT_EQ(found.relative_norm, wanted.relative_norm);
  EXPECT_EQ(found.max_ulp, wanted.max_ulp);
}

TEST(TensorStats, AScalarHasOneRow) {
  const TensorStats stats = relate({}, {1}, {2}).stats;
  EXPECT_EQ(stats.rows, 1U);
  EXPECT_EQ(stats.rows_differing, 1U);
}

TEST(TensorStats, OfAnEmptyTensorAreZero) {
  const ValueRelation relation = relate({0, 3}, {}, {});
  EXPECT_EQ(relation.stats.elements, 0U);
  EXPECT_TRUE(relation.equal_numbers);
}

TEST(TensorStats, CountUlpsThroughZero) {
  const float tiny = std::numeric_limits<float>::denorm_min();
  EXPECT_EQ(relate({1}, {tiny}, {-tiny}).stats.max_ulp, 2U);
  EXPECT_EQ(relate({2}, {1, 2}, {std::nextafter(1.F, 2.F), std::nextafter(2.F, 3.F)}).stats.pattern,
            "one ulp");
}

TEST(TensorStats, MinusZeroIsEqualAsANumber) {
  const ValueRelation relation = relate({3}, {0.F, 1, 2}, {-0.F, 1, 2});
  EXPECT_TRUE(relation.equal_numbers);
  EXPECT_EQ(relation.minus_zeros, 1U);
  EXPECT_EQ(relation.stats.differing, 1U);
}

TEST(TensorStats, NanEqualsNan) {
  const ValueRelation relation = relate({2}, {kNan, 1}, {-kNan, 1});
  EXPECT_TRUE(relation.equal_numbers);
  EXPECT_EQ(relation.stats.nan_a, 1U);
  EXPECT_EQ(relation.stats.nan_b, 1U);
}

TEST(TensorStats, CountWhatIsNotFinite) {
  const ValueRelation relation = relate({4}, {1, 2, 3, 4}, {kNan, kInf, 3, 4.5F});
  EXPECT_FALSE(relation.equal_numbers);
  EXPECT_EQ(relation.stats.nan_b, 1U);
  EXPECT_EQ(relation.stats.inf_b, 1U);
  EXPECT_EQ(relation.stats.max_abs, 0.5);
  EXPECT_EQ(relation.stats.pattern, "nan");
}

TEST(TensorStats, CosineOfZeroVectors) {
  EXPECT_EQ(relate({2}, {0, 0}, {-0.F, 0}).stats.cosine, 1);
  EXPECT_EQ(relate({2}, {0, 0}, {1, 0}).stats.cosine, 0);
  EXPECT_EQ(relate({2}, {0, 0}, {1, 0}).stats.relative_norm,
            std::numeric_limits<double>::infinity());
}

TEST(TensorStats, SeeSignAndScale) {
  const std::vector<float> values = TestWeights::numbers(64, 1);
  std::vector<float> negative = values;
  std::vector<float> scaled = values;
  for (float& value : negative) value = -value;
  for (float& value : scaled) value *= 1.1F;
  EXPECT_EQ(relate({8, 8}, values, negative).stats.pattern, "sign");
  const TensorStats stats = relate({8, 8}, values, scaled).stats;
  EXPECT_EQ(stats.pattern, "scale");
  EXPECT_THAT(stats.norm_ratio, DoubleNear(1.1, 1e-6));
}

TEST(TensorStats, SeePermutedRowsAndColumns) {
  const std::vector<float> values = TestWeights::numbers(12, 1);
  const std::vector<float> rows(values.begin() + 6, values.end());
  std::vector<float> swapped(values.begin() + 6, values.end());
  swapped.insert(swapped.end(), values.begin(), values.begin() + 6);
  EXPECT_EQ(relate({2, 6}, values, swapped).stats.pattern, "rows permuted");
  std::vector<float> columns = values;
  for (std::size_t row = 0; row < 2; ++row) std::swap(columns[row * 6], columns[row * 6 + 3]);
  EXPECT_EQ(relate({2, 6}, values, columns).stats.pattern, "columns permuted");
}

TEST(TensorStats, SeeTheOrdersOfRotaryEmbeddings) {
  const std::vector<float> halves = TestWeights::numbers(48, 1);
  std::vector<float> pairs;  // heads of 8 rows of 3
  for (std::size_t row = 0; row < 16; ++row) {
    const std::size_t from = row / 8 * 8 + row % 2 * 4 + row % 8 / 2;
    pairs.insert(pairs.end(), halves.begin() + static_cast<std::ptrdiff_t>(from * 3),
                 halves.begin() + static_cast<std::ptrdiff_t>(from * 3 + 3));
  }
  EXPECT_EQ(relate({16, 3}, halves, pairs).stats.pattern,
            "rows of heads of 8 permuted (rotary halves to pairs)");
  EXPECT_EQ(relate({16, 3}, pairs, halves).stats.pattern,
            "rows of heads of 8 permuted (rotary pairs to halves)");
}

TEST(TensorStats, SeeReversedChannels) {
  const std::vector<float> rgb = TestWeights::numbers(48, 1);
  std::vector<float> bgr;
  for (const std::ptrdiff_t kernel : {0, 12, 24, 36})
    for (const std::ptrdiff_t channel : {8, 4, 0})
      bgr.insert(bgr.end(), rgb.begin() + kernel + channel, rgb.begin() + kernel + channel + 4);
  EXPECT_EQ(relate({4, 3, 2, 2}, rgb, bgr).stats.pattern, "channels reversed");
}

TEST(TensorStats, SeeAMask) {
  const std::vector<float> values = TestWeights::numbers(64, 1);
  std::vector<float> masked = values;
  for (std::size_t i = 0; i < masked.size(); i += 2) masked[i] = 0;
  EXPECT_EQ(relate({8, 8}, values, masked).stats.pattern, "zeros in B");
  EXPECT_EQ(relate({8, 8}, masked, values).stats.pattern, "zeros in A");
  masked[1] *= 1.5F;
  EXPECT_EQ(relate({8, 8}, values, masked).stats.pattern, "");
}

TEST(TensorStats, SeeFewRows) {
  const std::vector<float> values = TestWeights::numbers(320, 1);
  std::vector<float> changed = values;
  for (std::size_t i = 0; i < 32; ++i) changed[i] += 1;
  const TensorStats stats = relate({10, 32}, values, changed).stats;
  EXPECT_EQ(stats.pattern, "few rows");
  EXPECT_EQ(stats.rows_differing, 1U);
}

// Rows longer and shorter than the blocks in which a tensor is measured.
TEST(TensorStats, CountRowsOnceWhereverBlocksEnd) {
  for (const Shape& shape : {Shape{3, 100'000}, Shape{100'000, 3}, Shape{300'000}}) {
    std::vector<float> a(300'000, 1.F);
    std::vector<float> b(300'000, 2.F);
    const TestWeights x = TestWeights().add("w", shape, a);
    const TestWeights y = TestWeights().add("w", shape, b);
    const TensorStats stats = relate(x, y, 2).stats;
    EXPECT_EQ(stats.rows_differing, static_cast<std::uint64_t>(shape[0]));
    EXPECT_EQ(stats.differing, 300'000U);
    b = a;
    b[199'999] = 2;  // the last element of a row, and one that no other block sees
    const TestWeights z = TestWeights().add("w", shape, b);
    EXPECT_EQ(relate(x, z, 2).stats.rows_differing, 1U);
    EXPECT_EQ(relate(x, z, 2).stats.first, 199'999U);
  }
}

TEST(TensorStats, DoNotDependOnThreads) {
  const TestWeights a = TestWeights().random("w", {500, 700}, 1);
  const TestWeights b = TestWeights().random("w", {500, 700}, 2);
  const TensorStats one = relate(a, b, 1).stats;
  for (const int threads : {2, 3, 7}) {
    const TensorStats many = relate(a, b, threads).stats;
    EXPECT_EQ(one.cosine, many.cosine);
    EXPECT_EQ(one.mean_abs, many.mean_abs);
    EXPECT_EQ(one.relative_norm, many.relative_norm);
    EXPECT_EQ(one.rows_differing, many.rows_differing);
  }
}

TEST(TensorStats, IntegersBeyondDoublesDiffer) {
  const std::int64_t big = (std::int64_t{1} << 60);
  const TestWeights a = TestWeights().add_raw<std::int64_t>("n", DType::int64, {1}, {big});
  const TestWeights b = TestWeights().add_raw<std::int64_t>("n", DType::int64, {1}, {big + 1});
  EXPECT_FALSE(relate(a, b).equal_numbers);
}

TEST(TensorStats, ComplexNumbersAreTwoElements) {
  const TestWeights a = TestWeights().add_raw<float>("z", DType::complex64, {1}, {1, 2});
  const TestWeights b = TestWeights().add_raw<float>("z", DType::complex64, {1}, {1, 3});
  const TensorStats stats = relate(a, b).stats;
  EXPECT_EQ(stats.elements, 2U);
  EXPECT_EQ(stats.differing, 1U);
  EXPECT_EQ(stats.max_abs, 1);
}

TEST(TensorStats, WidenedValuesAreEqual) {
  const TestWeights a =
      TestWeights().add_raw<std::uint16_t>("w", DType::bfloat16, {2}, {0x3F80, 0xC000});
  const TestWeights b = TestWeights().add("w", {2}, {1, -2});
  const ValueRelation relation = relate(a, b);
  EXPECT_TRUE(relation.equal_numbers);
  EXPECT_EQ(relation.stats.differing, 0U);
  EXPECT_FALSE(relation.stats.max_ulp);
}

TEST(TensorStats, RoundedValuesAreSeenOnEitherSide) {
  const std::vector<float> values = TestWeights::numbers(100, 1);
  for (const DType type :
       {DType::bfloat16, DType::float16, DType::float8_e4m3fn, DType::float8_e5m2}) {
    std::vector<float> rounded;
    for (const float value : values) rounded.push_back(static_cast<float>(round_to(type, value)));
    EXPECT_EQ(relate({100}, values, rounded).rounded_b, type);
    EXPECT_EQ(relate({100}, rounded, values).rounded_a, type);
  }
  EXPECT_FALSE(relate({100}, values, TestWeights::numbers(100, 2)).rounded_b);
}

}  // namespace
}  // namespace samebits
