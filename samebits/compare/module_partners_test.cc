#include "samebits/compare/module_partners.h"

#include <gtest/gtest.h>

#include "samebits/compare/test_weights.h"

namespace samebits {
namespace {

ModulePartners learnt(const std::vector<NamePair>& examples) {
  ModulePartners partners;
  partners.learn(examples);
  return partners;
}

TEST(ModulePartners, ATensorStandsBesideItsSiblings) {
  const ModulePartners partners = learnt({{"fpn1.0.weight", "fpn.fpn1.deconv.weight"}});
  EXPECT_EQ(partners.name_of("fpn1.0.bias"), "fpn.fpn1.deconv.bias");
  EXPECT_FALSE(partners.name_of("other.bias").has_value());
}

TEST(ModulePartners, ModulesAroundFollowWhereAllBelowIsTheSame) {
  const ModulePartners partners =
      learnt({{"language.model.layers.0.attn.q.weight", "model.language.layers.0.attn.q.weight"}});
  EXPECT_EQ(partners.name_of("language.model.layers.0.norm.weight"),
            "model.language.layers.0.norm.weight");
  EXPECT_EQ(partners.name_of("language.model.norm.weight"), "model.language.norm.weight");
}

TEST(ModulePartners, TheRootIsAModuleToo) {
  EXPECT_EQ(learnt({{"w", "model.w"}}).name_of("b"), "model.b");
  EXPECT_EQ(learnt({{"model.w", "w"}}).name_of("model.b"), "b");
}

TEST(ModulePartners, PairsThatDoNotAgreeSayNothing) {
  const ModulePartners partners =
      learnt({{"head.weight", "out.weight"}, {"head.scale", "norm.scale"}});
  EXPECT_FALSE(partners.name_of("head.bias").has_value());
}

// Zero biases beside weights whose names no one rule explains.
TEST(ModulePartners, ConstantsFollowTheModulesAroundThem) {
  TestWeights a;
  TestWeights b;
  a.random("fpn1.0.weight", {4, 4}, 1).constant("fpn1.0.bias", {4}, 0);
  b.random("fpn.fpn1.deconv1.weight", {4, 4}, 1).constant("fpn.fpn1.deconv1.bias", {4}, 0);
  a.random("fpn2.0.weight", {4, 4}, 2).constant("fpn2.0.bias", {4}, 0);
  b.random("fpn.fpn2.deconv.weight", {4, 4}, 2).constant("fpn.fpn2.deconv.bias", {4}, 0);
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::identical);
  EXPECT_EQ(found.matched, 4U);
}

TEST(ModulePartners, ConstantsOfAlikeNamesPairWhereAllElseHas) {
  TestWeights a = TestWeights().random("layer.0.attention.query.weight", {4, 4}, 1);
  TestWeights b = TestWeights().random("layer.0.attention.query.weight", {4, 4}, 1);
  a.constant("layer.0.attention.q_bias", {4}, 0).constant("layer.0.attention.v_bias", {4}, 0);
  b.constant("layer.0.attention.query.bias", {4}, 0)
      .constant("layer.0.attention.value.bias", {4}, 0);
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::identical);
  b.constant("layer.0.attention.value.bias2", {4}, 1);
  EXPECT_EQ(compare(a, b).verdict, WeightsVerdict::different);
}

TEST(ModulePartners, ConstantsOfAnotherValueOrKindDoNotPair) {
  TestWeights a = TestWeights().random("layer.0.norm.weight", {4}, 1);
  TestWeights b = TestWeights().random("layer.0.norm.weight", {4}, 1);
  a.constant("layer.0.norm.running_mean", {4}, 0);
  b.constant("layer.0.norm.bias", {4}, 0);
  EXPECT_EQ(compare(a, b).matched, 1U);
  TestWeights c = TestWeights().random("layer.0.norm.weight", {4}, 1);
  c.constant("layer.0.norm.inner.running_mean", {4}, 2);
  EXPECT_EQ(compare(a, c).matched, 1U);
}

}  // namespace
}  // namespace samebits
