#include "samebits/compare/reparametrized.h"

#include <gmock/gmock.h>

#include "samebits/compare/test_weights.h"

namespace samebits {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

const Shape kMatrix = {2, 2};
const std::vector<float> kValues = {3, 4, 0, 2};

double distance(const TestWeights& weights, const std::vector<float>& whole) {
  const WeightSet set = weights.set();
  const auto found = factored_weights(set);
  EXPECT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].name, "0.weight");
  const TestWeights of_whole = TestWeights().add("w", kMatrix, whole);
  const WeightSet plain = of_whole.set();
  return distance_from_factors(plain[0].view, found[0], set).value();
}

TEST(Reparametrized, WeightNormScalesRows) {
  const std::vector<float> product = {0.6F, 0.8F, 0, 2};
  const TestWeights older =
      TestWeights().add("0.weight_g", {2, 1}, {1, 2}).add("0.weight_v", kMatrix, kValues);
  EXPECT_THAT(distance(older, product), DoubleNear(0, 1e-7));
  EXPECT_THAT(distance(older, {0.6F, 0.8F, 0, 1}), DoubleNear(1, 1e-6));
  const TestWeights newer = TestWeights()
                                .add("0.parametrizations.weight.original0", {2, 1}, {1, 2})
                                .add("0.parametrizations.weight.original1", kMatrix, kValues);
  EXPECT_THAT(distance(newer, product), DoubleNear(0, 1e-7));
}

TEST(Reparametrized, WeightNormOfTheSecondDimensionScalesColumns) {
  const TestWeights columns =
      TestWeights().add("0.weight_g", {1, 2}, {3, 1}).add("0.weight_v", kMatrix, {3, 0, 0, 2});
  EXPECT_THAT(distance(columns, {3, 0, 0, 1}), DoubleNear(0, 1e-7));
}

TEST(Reparametrized, SpectralNormDividesByWhatItsVectorsGive) {
  const TestWeights weights = TestWeights()
                                  .add("0.weight_orig", kMatrix, {2, 0, 0, 1})
                                  .add("0.weight_u", {2}, {1, 0})
                                  .add("0.weight_v", {2}, {1, 0});
  EXPECT_THAT(distance(weights, {1, 0, 0, 0.5F}), DoubleNear(0, 1e-12));
}

TEST(Reparametrized, PruningMultipliesByItsMask) {
  const TestWeights weights = TestWeights()
                                  .add("0.weight_orig", kMatrix, kValues)
                                  .add("0.weight_mask", kMatrix, {1, 0, 0, 1});
  EXPECT_THAT(distance(weights, {3, 0, 0, 2}), DoubleNear(0, 0));
}

TEST(Reparametrized, OtherParametrizationsAreNotComputed) {
  const TestWeights weights =
      TestWeights().add("a.parametrizations.weight.original", kMatrix, kValues);
  const WeightSet set = weights.set();
  const auto found = factored_weights(set);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].factoring, Factoring::other);
  EXPECT_THAT(found[0].factors, ElementsAre("a.parametrizations.weight.original"));
  EXPECT_FALSE(distance_from_factors(set[0].view, found[0], set).has_value());
}

TEST(Reparametrized, NamesOfFactorsBelongToParameters) {
  EXPECT_TRUE(is_factor_name("0.weight_v"));
  EXPECT_TRUE(is_factor_name("parametrizations.weight.original0"));
  EXPECT_FALSE(is_factor_name("attention_mask"));
  EXPECT_FALSE(is_factor_name("attn.rel_pos_v"));
}

}  // namespace
}  // namespace samebits
