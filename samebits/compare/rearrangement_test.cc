// The same values in another form: fused, split, transposed, reshaped, widened, rounded.
#include <cmath>

#include <gmock/gmock.h>

#include "samebits/compare/alignment.h"
#include "samebits/compare/rounding.h"
#include "samebits/compare/test_weights.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<float> operator+(std::vector<float> x, const std::vector<float>& y) {
  x.insert(x.end(), y.begin(), y.end());
  return x;
}

std::vector<float> sixteen_numbers(std::uint32_t seed) { return TestWeights::numbers(16, seed); }

TestWeights apart() {
  TestWeights weights;
  for (std::uint32_t n = 0; n < 2; ++n) {
    const std::string at = "layer." + std::to_string(n) + ".";
    std::uint32_t seed = 10 * n;
    for (const char* name : {"query", "key", "value"}) {
      weights.add(at + name + ".weight", {4, 4}, sixteen_numbers(++seed));
      weights.constant(at + name + ".bias", {4}, 0);
    }
    weights.random(at + "dense.weight", {4, 4}, 10 * n + 1000).constant(at + "dense.bias", {4}, 0);
  }
  return weights;
}

TestWeights fused(const std::vector<std::uint32_t>& order) {
  TestWeights weights;
  for (std::uint32_t n = 0; n < 2; ++n) {
    const std::string at = "blocks." + std::to_string(n) + ".";
    std::vector<float> rows;
    for (const std::uint32_t part : order) rows = rows + sixteen_numbers(10 * n + part);
    weights.add(at + "qkv.weight", {12, 4}, rows).constant(at + "qkv.bias", {12}, 0);
    weights.random(at + "proj.weight", {4, 4}, 10 * n + 1000).constant(at + "proj.bias", {4}, 0);
  }
  return weights;
}

TEST(Rearranged, QueryKeyAndValueStackedIntoOne) {
  const WeightComparison found = compare(apart(), fused({1, 2, 3}));
  EXPECT_EQ(found.verdict, WeightsVerdict::same_values);
  EXPECT_EQ(found.matched, 16U);
  EXPECT_EQ(found.changed, 0U);
  EXPECT_THAT(found.only_a, IsEmpty());
  EXPECT_THAT(found.only_b, IsEmpty());
  EXPECT_EQ(found.matches[0].how, "stacked along dimension 0");
  EXPECT_THAT(found.matches[0].a, ElementsAre(0U, 2U, 4U));
}

TEST(Rearranged, TheBiasFollowsItsWeight) {
  const TestWeights a = apart();
  const WeightSet names = a.set();
  for (const TensorMatch& match : compare(a, fused({1, 2, 3})).matches) {
    if (match.a.size() != 3 || !names[match.a[0]].name.ends_with("bias")) continue;
    EXPECT_THAT(names[match.a[0]].name, HasSubstr("query"));
    EXPECT_THAT(names[match.a[1]].name, HasSubstr("key"));
    EXPECT_THAT(names[match.a[2]].name, HasSubstr("value"));
  }
}

TEST(Rearranged, OneCutIntoThree) {
  const WeightComparison found = compare(fused({1, 2, 3}), apart());
  EXPECT_EQ(found.verdict, WeightsVerdict::same_values);
  EXPECT_EQ(found.matches[0].how, "cut along dimension 0");
  EXPECT_EQ(found.matched, 8U);
}

TEST(Rearranged, FusedInAnotherOrderIsADifference) {
  const WeightComparison found = compare(apart(), fused({2, 1, 3}));
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  ASSERT_FALSE(found.exchanges.empty());
  EXPECT_EQ(found.exchanges[0].summary,
            "blocks.{n}.qkv is stacked in the order k, q, v instead of q, k, v, n = 0, 1");
}

TEST(Rearranged, ExpertsStackedAlongANewDimension) {
  TestWeights a;
  a.add("experts.0.w", {4, 4}, sixteen_numbers(1)).add("experts.1.w", {4, 4}, sixteen_numbers(2));
  const TestWeights b =
      TestWeights().add("experts.w", {2, 4, 4}, sixteen_numbers(1) + sixteen_numbers(2));
  EXPECT_EQ(compare(a, b).verdict, WeightsVerdict::same_values);
}

TEST(Rearranged, Transposed) {
  const std::vector<float> values = TestWeights::numbers(6, 1);
  const TestWeights a = TestWeights().add("w", {2, 3}, values);
  const TestWeights b = TestWeights().add(
      "w", {3, 2}, {values[0], values[3], values[1], values[4], values[2], values[5]});
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::same_values);
  EXPECT_EQ(found.matches[0].how, "transposed");
}

std::vector<float> transposed_square(std::uint32_t seed) {
  std::vector<float> transposed(16);
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 4; ++j) transposed[j * 4 + i] = sixteen_numbers(seed)[i * 4 + j];
  }
  return transposed;
}

TEST(Rearranged, TransposedInItsPlaceIsADifference) {
  TestWeights a;
  a.random("x.weight", {4, 4}, 1).random("y.weight", {4, 4}, 2).random("bias", {4}, 3);
  TestWeights b;
  b.add("x.weight", {4, 4}, transposed_square(1)).random("y.weight", {4, 4}, 2);
  b.random("bias", {4}, 3);
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_EQ(found.changed, 1U);
}

TEST(Rearranged, SquareMatricesOfAConventionAreNone) {
  const std::vector<float> values = TestWeights::numbers(6, 5);
  TestWeights a;
  a.random("x.weight", {4, 4}, 1).add("y.weight", {2, 3}, values);
  TestWeights b;
  b.add("x.weight", {4, 4}, transposed_square(1));
  b.add("y.weight", {3, 2}, {values[0], values[3], values[1], values[4], values[2], values[5]});
  EXPECT_EQ(compare(a, b).verdict, WeightsVerdict::same_values);
  EXPECT_EQ(compare(a, b).changed, 0U);
}

TEST(Rearranged, TransposedUnderAnotherName) {
  const TestWeights a = TestWeights().add("dense.weight", {4, 4}, sixteen_numbers(1));
  const TestWeights b = TestWeights().add("kernel", {4, 4}, transposed_square(1));
  EXPECT_EQ(compare(a, b).verdict, WeightsVerdict::same_values);
}

TEST(Rearranged, AConvolutionKernelInAnotherOrder) {
  const std::vector<float> values = TestWeights::numbers(2 * 3 * 4 * 5, 1);
  std::vector<float> other(values.size());
  for (std::size_t o = 0; o < 2; ++o)
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t y = 0; y < 4; ++y)
        for (std::size_t x = 0; x < 5; ++x)
          other[((y * 5 + x) * 3 + i) * 2 + o] = values[((o * 3 + i) * 4 + y) * 5 + x];
  const WeightComparison found = compare(TestWeights().add("w", {2, 3, 4, 5}, values),
                                         TestWeights().add("w", {4, 5, 3, 2}, other));
  EXPECT_EQ(found.verdict, WeightsVerdict::same_values);
  EXPECT_EQ(found.matches[0].how, "dimensions in the order 2, 3, 1, 0");
}

TEST(Rearranged, Reshaped) {
  const WeightComparison found = compare(TestWeights().random("conv", {4, 3, 2, 2}, 1),
                                         TestWeights().random("linear", {4, 12}, 1));
  EXPECT_EQ(found.verdict, WeightsVerdict::same_values);
  EXPECT_EQ(found.matches[0].how, "reshaped [4, 3, 2, 2] to [4, 12]");
}

TestWeights narrow(DType type, const std::string& name, bool stored_wide) {
  std::vector<float> rounded;
  std::vector<std::uint16_t> bits;
  for (const float value : TestWeights::numbers(64, 1)) {
    rounded.push_back(static_cast<float>(round_to(type, value)));
    bits.push_back(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(rounded.back()) >> 16));
  }
  if (stored_wide) return TestWeights().add(name, {8, 8}, rounded);
  return TestWeights().add_raw(name, type, {8, 8}, bits);
}

TEST(Rounded, StoredNarrow) {
  const TestWeights a = TestWeights().random("w", {8, 8}, 1);
  const WeightComparison found = compare(a, narrow(DType::bfloat16, "w", false));
  EXPECT_EQ(found.verdict, WeightsVerdict::rounded);
  EXPECT_EQ(found.matches[0].how, "float32 rounded to bfloat16");
  EXPECT_EQ(found.changed, 0U);
}

TEST(Rounded, WidenedAgain) {
  for (const DType type : {DType::bfloat16, DType::float16}) {
    const WeightComparison found =
        compare(TestWeights().random("w", {8, 8}, 1), narrow(type, "w", true));
    EXPECT_EQ(found.verdict, WeightsVerdict::rounded);
    EXPECT_THAT(found.matches[0].how, HasSubstr("stored as float32"));
  }
}

TEST(Rounded, UnderAnotherName) {
  const TestWeights a = TestWeights().random("x.w", {8, 8}, 1);
  EXPECT_EQ(compare(a, narrow(DType::bfloat16, "q", false)).verdict, WeightsVerdict::rounded);
  EXPECT_EQ(compare(a, narrow(DType::float16, "q", true)).verdict, WeightsVerdict::rounded);
}

TEST(Rounded, TheOtherWayRoundIsSaid) {
  const WeightComparison found =
      compare(narrow(DType::bfloat16, "w", false), TestWeights().random("w", {8, 8}, 1));
  EXPECT_EQ(found.verdict, WeightsVerdict::rounded);
  EXPECT_EQ(found.matches[0].how, "A holds B's float32 rounded to bfloat16");
}

// A norm of ones is equal to the rounding of a norm of nearly ones; that proves nothing.
TEST(Rounded, FewValuesAreNoEvidence) {
  const TestWeights a = TestWeights().add("norm", {3}, {1.001F, 0.999F, 1.002F});
  const TestWeights b = TestWeights().constant("norm", {3}, 1);
  EXPECT_EQ(compare(a, b).verdict, WeightsVerdict::different);
  EXPECT_EQ(compare(b, a).verdict, WeightsVerdict::different);
}

TEST(SameValues, WidenedWithoutLoss) {
  const TestWeights wide = narrow(DType::bfloat16, "w", true);
  const TestWeights tight = narrow(DType::bfloat16, "w", false);
  EXPECT_EQ(compare(tight, wide).verdict, WeightsVerdict::same_values);
  EXPECT_EQ(compare(wide, tight).verdict, WeightsVerdict::same_values);
  EXPECT_EQ(compare(wide, tight).matches[0].kind, MatchKind::same_values);
}

TEST(SameValues, MinusZero) {
  const WeightComparison found =
      compare(TestWeights().add("w", {2}, {0, 1}), TestWeights().add("w", {2}, {-0.F, 1}));
  EXPECT_EQ(found.verdict, WeightsVerdict::same_values);
  EXPECT_EQ(found.matches[0].how, "-0 for 0 in 1 element");
}

TEST(SameValues, TheSameNanIsIdentical) {
  const TestWeights a = TestWeights().add("w", {2}, {std::nanf(""), 1});
  EXPECT_EQ(compare(a, a).verdict, WeightsVerdict::identical);
}

}  // namespace
}  // namespace samebits
