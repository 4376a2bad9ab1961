#include "samebits/compare/dropout_pattern.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include <gmock/gmock.h>

#include "samebits/compare/rounding.h"
#include "samebits/compare/test_weights.h"

namespace samebits {
namespace {

std::vector<float> numbers() { return TestWeights::numbers(1000, 7); }

/// The values behind dropout, with the rounding of another order of additions.
std::vector<float> dropped(std::vector<float> values, double rate, std::uint32_t seed,
                           double rounding = 1e-7) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (float& value : values) {
    const bool zero = uniform(random) < rate;
    const double noise = 1 + rounding * (2 * uniform(random) - 1);
    value = zero ? 0 : static_cast<float>(value / (1 - rate) * noise);
  }
  return values;
}

/// As 20 rows of 50 columns.
std::optional<DropoutPattern> pattern(const std::vector<float>& a, const std::vector<float>& b) {
  TestWeights weights;
  weights.add("a", {20, 50}, a).add("b", {20, 50}, b);
  const WeightSet set = weights.set();
  return dropout_pattern({set.tensors()[0].view, set.tensors()[1].view});
}

TEST(DropoutPattern, FindsTheRateAndTheSide) {
  for (const double rate : {0.05, 0.1, 0.3, 0.5, 0.9}) {
    for (std::uint32_t seed = 0; seed < 20; ++seed) {
      const auto in_b = pattern(numbers(), dropped(numbers(), rate, seed));
      ASSERT_TRUE(in_b) << rate << " " << seed;
      EXPECT_NEAR(in_b->rate_b, rate, 1e-6);
      EXPECT_EQ(in_b->rate_a, 0);
      const auto in_a = pattern(dropped(numbers(), rate, seed), numbers());
      ASSERT_TRUE(in_a) << rate << " " << seed;
      EXPECT_NEAR(in_a->rate_a, rate, 1e-6);
      EXPECT_EQ(in_a->rate_b, 0);
    }
  }
}

TEST(DropoutPattern, FindsTwoMasks) {
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    const auto both = pattern(dropped(numbers(), 0.2, seed), dropped(numbers(), 0.2, 100 + seed));
    ASSERT_TRUE(both) << seed;
    EXPECT_NEAR(both->rate_a, 0.2, 0.06);
    EXPECT_NEAR(both->rate_b, 0.2, 0.06);
  }
}

TEST(DropoutPattern, WhereBothMayHaveZerosOfOneDrawNothingIsSaid) {
  // What torch draws with one seed for two rates: a number below the rate drops its element.
  EXPECT_FALSE(pattern(dropped(numbers(), 0.1, 5), dropped(numbers(), 0.3, 5)));
  EXPECT_FALSE(pattern(dropped(numbers(), 0.1, 5), dropped(numbers(), 0.1, 5)));
}

TEST(DropoutPattern, WholeRowsOrColumnsAreNone) {
  const auto without = [](auto is_zero, float scale) {
    std::vector<float> values = numbers();
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = is_zero(i / 50, i % 50) ? 0 : values[i] * scale;
    return values;
  };
  const auto column = [&](std::size_t first) {
    return without([=](std::size_t, std::size_t c) { return c / 10 == first; }, 1);
  };
  const auto row = [&](std::size_t first) {
    return without([=](std::size_t r, std::size_t) { return r / 4 == first; }, 1);
  };
  EXPECT_FALSE(pattern(column(1), column(3)));
  EXPECT_FALSE(pattern(row(1), row(3)));
  const auto fifth_column = [](std::size_t, std::size_t c) { return c < 10; };
  const auto fifth_row = [](std::size_t r, std::size_t) { return r < 4; };
  EXPECT_FALSE(pattern(numbers(), without(fifth_column, 1.25F)));
  EXPECT_FALSE(pattern(numbers(), without(fifth_row, 1.25F)));
  // Of values that have them already, dropout is seen all the same.
  EXPECT_TRUE(pattern(column(1), dropped(column(1), 0.2, 3)));
}

TEST(DropoutPattern, OtherChangesAreNone) {
  const std::vector<float> a = numbers();
  EXPECT_FALSE(pattern(a, a));
  std::vector<float> scaled = a;
  for (float& value : scaled) value *= 1.25F;
  EXPECT_FALSE(pattern(a, scaled));
  std::vector<float> zeroed = a;  // without the scale
  for (std::size_t i = 0; i < zeroed.size(); i += 10) zeroed[i] = 0;
  EXPECT_FALSE(pattern(a, zeroed));
  std::vector<float> pruned = scaled;  // with a scale that another rate has
  for (std::size_t i = 0; i < pruned.size(); i += 50) pruned[i] = 0;
  EXPECT_FALSE(pattern(a, pruned));
  std::vector<float> rectified = a;
  for (float& value : rectified) value = std::max(value, 0.0F);
  EXPECT_FALSE(pattern(a, rectified));
  EXPECT_FALSE(pattern(a, TestWeights::numbers(1000, 8)));
  std::vector<float> broken = dropped(a, 0.1, 1);
  broken[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(pattern(a, broken));
  EXPECT_FALSE(pattern(a, dropped(a, 0.1, 1, 1e-3)));  // off by more than rounding
}

/// `count` of the values, anywhere, are 0, and the others scaled as dropout of that rate scales
/// them.
std::vector<float> with_zeros(std::size_t count, double rate, std::uint32_t seed) {
  std::vector<float> values = numbers();
  std::vector<std::size_t> places(values.size());
  std::iota(places.begin(), places.end(), 0U);
  std::shuffle(places.begin(), places.end(), std::mt19937(seed));
  for (float& value : values) value = static_cast<float>(value / (1 - rate));
  for (std::size_t i = 0; i < count; ++i) values[places[i]] = 0;
  return values;
}

TEST(DropoutPattern, ZerosAreAsManyAsTheRateMakesLikely) {
  // Of 1000 draws with a chance of 0.1, 100 are likely, with a standard deviation of 9.49.
  for (const std::size_t count : {52U, 100U, 148U}) {
    EXPECT_TRUE(pattern(numbers(), with_zeros(count, 0.1, 1))) << count;
    EXPECT_TRUE(pattern(with_zeros(count, 0.1, 1), numbers())) << count;
  }
  for (const std::size_t count : {20U, 51U, 149U, 200U, 400U}) {
    EXPECT_FALSE(pattern(numbers(), with_zeros(count, 0.1, 1))) << count;
    EXPECT_FALSE(pattern(with_zeros(count, 0.1, 1), numbers())) << count;
  }
}

TEST(DropoutPattern, TwoMasksHaveAsManyZerosEach) {
  // One scale, so one rate: 200 of 1000 against 400 are not of one.
  EXPECT_TRUE(pattern(with_zeros(200, 0.2, 1), with_zeros(200, 0.2, 2)));
  EXPECT_FALSE(pattern(with_zeros(200, 0.2, 1), with_zeros(400, 0.2, 2)));
  EXPECT_FALSE(pattern(with_zeros(400, 0.2, 1), with_zeros(200, 0.2, 2)));
}

/// As stored in a narrow type.
std::optional<DropoutPattern> narrow_pattern(DType type, const std::vector<float>& a,
                                             const std::vector<float>& b) {
  const auto bits = [type](const std::vector<float>& values) {
    std::vector<std::uint16_t> raw;
    for (const float value : values) {
      const auto rounded = static_cast<float>(round_to(type, value));
      const auto single = std::bit_cast<std::uint32_t>(rounded);
      // Numbers between 2^-14 and 2 are normal in float16: another bias of the exponent.
      const std::uint32_t half =
          rounded == 0 ? 0 : (single >> 16 & 0x8000) | (((single >> 13) - (112U << 10)) & 0x7FFF);
      raw.push_back(static_cast<std::uint16_t>(type == DType::bfloat16 ? single >> 16 : half));
    }
    return raw;
  };
  TestWeights weights;
  weights.add_raw("a", type, {20, 50}, bits(a)).add_raw("b", type, {20, 50}, bits(b));
  const WeightSet set = weights.set();
  return dropout_pattern({set.tensors()[0].view, set.tensors()[1].view});
}

TEST(DropoutPattern, NarrowTypesHaveTheirOwnRounding) {
  for (const DType type : {DType::bfloat16, DType::float16}) {
    const double unit = type == DType::bfloat16 ? 0x1p-5 : 0x1p-8;
    EXPECT_TRUE(narrow_pattern(type, numbers(), dropped(numbers(), 0.2, 1)));
    EXPECT_TRUE(narrow_pattern(type, dropped(numbers(), 0.2, 1), numbers()));
    EXPECT_TRUE(narrow_pattern(type, numbers(), dropped(numbers(), 0.2, 1, unit / 2)));
    EXPECT_FALSE(narrow_pattern(type, numbers(), dropped(numbers(), 0.2, 1, 4 * unit)));
    EXPECT_FALSE(narrow_pattern(type, numbers(), numbers()));
  }
}

TEST(DropoutPattern, OfFloat32RoundingIsAHundredThousandthOfTheLargest) {
  const std::vector<float> a = numbers();
  std::vector<float> b = with_zeros(100, 0.1, 1);
  std::size_t kept = 0;
  while (b[kept] == 0) ++kept;
  const float exact = b[kept];
  b[kept] = exact + 4e-6F;  // the largest is about 0.55
  EXPECT_TRUE(pattern(a, b));
  b[kept] = exact + 1e-5F;
  EXPECT_FALSE(pattern(a, b));
}

TEST(DropoutPattern, ZerosMayStandTogetherAsChanceHasThem) {
  // Zeros are a tenth of all, `in_first` of them in the first row of 50: 5 are likely there, and
  // what Pearson's statistic allows beside 19 other rows of 5 each is about 22.
  const auto together = [](std::size_t in_first) {
    std::vector<float> values = numbers();
    for (float& value : values) value /= 0.9F;
    const std::size_t others = 100 - in_first;
    for (std::size_t i = 0; i < in_first; ++i) values[i] = 0;
    for (std::size_t i = 0; i < others; ++i) values[50 * (1 + i % 19) + (7 * i + i / 19) % 50] = 0;
    return values;
  };
  EXPECT_TRUE(pattern(numbers(), together(5)));
  EXPECT_TRUE(pattern(numbers(), together(18)));
  EXPECT_FALSE(pattern(numbers(), together(28)));
  EXPECT_FALSE(pattern(numbers(), together(50)));
}

TEST(DropoutPattern, ASingleZeroIsEnoughWhereTheRateIsSmall) {
  EXPECT_TRUE(pattern(numbers(), with_zeros(1, 0.0015, 1)));
  EXPECT_TRUE(pattern(with_zeros(1, 0.0015, 1), numbers()));
  // A scale of less than a thousandth is none.
  EXPECT_FALSE(pattern(numbers(), with_zeros(1, 0.0005, 1)));
  EXPECT_FALSE(pattern(numbers(), with_zeros(1, 0, 1)));
  EXPECT_FALSE(pattern(numbers(), with_zeros(1, -0.01, 1)));
}

TEST(DropoutPattern, FewNumbersThatAreLeftAreNoEvidence) {
  const auto left = [](std::size_t count) {
    std::vector<float> a(1000, 0);
    for (std::size_t i = 0; i < 2 * count; ++i) a[i] = 1 + static_cast<float>(i);
    std::vector<float> b = a;
    for (std::size_t i = 0; i < 2 * count; ++i) b[i] *= i % 2 == 0 ? 2 : 0;
    return pattern(a, b).has_value();
  };
  EXPECT_TRUE(left(16));
  EXPECT_FALSE(left(15));
  EXPECT_FALSE(left(4));
}

TEST(DropoutPattern, NumbersThatAreNotFiniteAreNone) {
  for (const float broken :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<float> a = numbers();
    std::vector<float> b = dropped(numbers(), 0.1, 1);
    std::size_t zero = 0;
    while (b[zero] != 0) ++zero;
    a[zero] = broken;  // where the other side is 0, the proportion does not see it
    EXPECT_FALSE(pattern(a, b));
    EXPECT_FALSE(pattern(b, a));
  }
}

TEST(DropoutPattern, ZerosOfRoundingAreNone) {
  std::vector<float> a = numbers();
  std::vector<float> b = a;
  for (std::size_t i = 0; i < a.size(); i += 7) {
    (i % 2 == 0 ? a : b)[i] = 1e-9F;
    (i % 2 == 0 ? b : a)[i] = 0;
  }
  EXPECT_FALSE(pattern(a, b));
}

}  // namespace
}  // namespace samebits
