// Same and renamed tensors, and what is only on one side.
#include "samebits/compare/alignment.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "samebits/compare/test_weights.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TestWeights blocks(const std::string& layer, const std::string& q, const std::string& k,
                   const std::string& norm) {
  TestWeights weights;
  for (std::uint32_t n = 0; n < 3; ++n) {
    const std::string at = layer + std::to_string(n) + ".";
    weights.random(at + q + ".weight", {4, 4}, 10 * n + 1);
    weights.constant(at + q + ".bias", {4}, 0);
    weights.random(at + k + ".weight", {4, 4}, 10 * n + 2);
    weights.constant(at + k + ".bias", {4}, 0);
    weights.constant(at + norm + ".weight", {4}, 1);
  }
  return weights;
}

TEST(Alignment, TheSameTensorsAreIdentical) {
  const TestWeights weights = blocks("layer.", "query", "key", "norm");
  const WeightComparison found = compare(weights, weights);
  EXPECT_EQ(found.verdict, WeightsVerdict::identical);
  EXPECT_EQ(found.matched, 15U);
  EXPECT_EQ(found.renamed, 0U);
  EXPECT_THAT(found.rules, IsEmpty());
  EXPECT_EQ(found.bytes_compared, 2U * 4 * 3 * (16 + 4 + 16 + 4 + 4));
}

TEST(Alignment, EmptySetsAreIdentical) {
  EXPECT_EQ(compare({}, {}).verdict, WeightsVerdict::identical);
}

TEST(Alignment, APrefixIsARenaming) {
  const WeightComparison found = compare(blocks("layer.", "query", "key", "norm"),
                                         blocks("model.layer.", "query", "key", "norm"));
  EXPECT_EQ(found.verdict, WeightsVerdict::identical);
  EXPECT_EQ(found.renamed, 15U);
  ASSERT_EQ(found.rules.size(), 1U);
  EXPECT_EQ(found.rules[0].from, "");
  EXPECT_EQ(found.rules[0].to, "model.");
  EXPECT_EQ(found.rules[0].count, 15U);
}

// Zeros and ones are all alike: only the rules that the others teach tell them apart.
TEST(Alignment, RulesSettleWhatBytesCannot) {
  const TestWeights a = blocks("encoder.layer.", "attention.query", "attention.key", "norm");
  const TestWeights b = blocks("blocks.", "q_proj", "k_proj", "norm");
  const WeightSet set_a = a.set();
  const WeightSet set_b = b.set();
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::identical);
  EXPECT_EQ(found.renamed, 15U);
  for (const TensorMatch& match : found.matches) {
    EXPECT_EQ(match.kind, MatchKind::renamed);
    EXPECT_EQ(match.a, match.b) << set_a[match.a[0]].name << " " << set_b[match.b[0]].name;
  }
}

TEST(Alignment, WhatStandsOnOneSideOnlyIsListed) {
  TestWeights a = blocks("layer.", "query", "key", "norm");
  TestWeights b = blocks("layer.", "query", "key", "norm");
  a.random("head.weight", {2, 4}, 50);
  b.random("pooler.weight", {4, 4}, 51);
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_THAT(found.only_a, ElementsAre("head.weight"));
  EXPECT_THAT(found.only_b, ElementsAre("pooler.weight"));
  EXPECT_EQ(found.matched, 15U);
}

TEST(Alignment, WhatOnlyOneOfTheTwoHasMakesThemDifferent) {
  const TestWeights less = TestWeights().random("w", {4}, 1);
  const TestWeights more = TestWeights().random("w", {4}, 1).random("v", {4}, 2);
  EXPECT_EQ(compare(less, more).verdict, WeightsVerdict::different);
  EXPECT_EQ(compare(more, less).verdict, WeightsVerdict::different);
  EXPECT_THAT(compare(less, more).only_b, ElementsAre("v"));
}

TEST(Alignment, WhatDoesNotDifferStandsInTheOrderOfA) {
  TestWeights a;
  a.random("one.w", {4}, 1).random("kept", {4}, 2).random("three.w", {4}, 3).random("last", {4}, 4);
  TestWeights b;
  b.random("last", {4}, 4).random("3.w", {4}, 3).random("kept", {4}, 2).random("1.w", {4}, 1);
  std::vector<std::uint32_t> order;
  for (const TensorMatch& match : compare(a, b).matches) order.push_back(match.a[0]);
  EXPECT_THAT(order, ElementsAre(0U, 1U, 2U, 3U));
}

TEST(Alignment, OfTwoTensorsInOneRoleNeitherIsToldByIt) {
  TestWeights a;
  a.constant("x1", {4}, 0).roles({"first"}).constant("x2", {4}, 0).roles({"first"});
  TestWeights b;
  b.constant("y1", {4}, 5).roles({"first"}).constant("y2", {4}, 6).roles({"first"});
  EXPECT_EQ(compare(a, b).matched, 0U);
  EXPECT_EQ(compare(b, a).matched, 0U);
}

TEST(Alignment, ANameOnBothSidesSaysMoreThanARole) {
  const TestWeights a =
      TestWeights().random("x", {4}, 1).roles({"norm"}).random("y", {4}, 2).roles({"head"});
  const TestWeights b =
      TestWeights().random("y", {4}, 3).roles({"norm"}).random("z", {4}, 4).roles({"head"});
  for (const WeightComparison& found : {compare(a, b), compare(b, a)}) {
    EXPECT_EQ(found.matched, 1U);
    EXPECT_EQ(found.only_a.size(), 1U);
    EXPECT_EQ(found.only_b.size(), 1U);
  }
  EXPECT_THAT(compare(a, b).only_a, ElementsAre("x"));
  EXPECT_THAT(compare(b, a).only_b, ElementsAre("x"));
}

TEST(Alignment, AChangedTensorIsPairedByNameWithStatistics) {
  const TestWeights a = TestWeights().random("w", {4, 4}, 1).random("v", {4, 4}, 2);
  const TestWeights b = TestWeights().random("w", {4, 4}, 3).random("v", {4, 4}, 2);
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_EQ(found.changed, 1U);
  EXPECT_EQ(found.matched, 2U);
  ASSERT_TRUE(found.matches[0].stats);
  EXPECT_EQ(found.matches[0].kind, MatchKind::changed);
  EXPECT_EQ(found.matches[0].stats->differing, 16U);
}

TEST(Alignment, AChangedTensorIsPairedByRule) {
  TestWeights a = blocks("encoder.layer.", "query", "key", "norm");
  TestWeights b = blocks("blocks.", "q", "k", "norm");
  a.random("encoder.layer.3.query.weight", {4, 4}, 100);
  b.random("blocks.3.q.weight", {4, 4}, 101);
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.changed, 1U);
  EXPECT_EQ(found.matched, 16U);
  EXPECT_THAT(found.only_a, IsEmpty());
}

TEST(Alignment, AChangedTensorIsPairedByAlikeNames) {
  const TestWeights a = TestWeights().random("encoder.norm.weight", {4}, 1);
  const TestWeights b = TestWeights().random("model.encoder.norm.weight", {4}, 2);
  EXPECT_EQ(compare(a, b).changed, 1U);
  const TestWeights c = TestWeights().random("decoder.head.bias", {4}, 2);
  EXPECT_THAT(compare(a, c).only_a, ElementsAre("encoder.norm.weight"));
}

TEST(Alignment, TheLargestRelativeChangeComesFirst) {
  TestWeights a;
  TestWeights b;
  a.add("small", {2}, {1, 1}).add("large", {2}, {1, 1}).add("shape", {2}, {1, 1});
  b.add("small", {2}, {1, 1.01F}).add("large", {2}, {1, 5}).add("shape", {3}, {1, 1, 1});
  const WeightComparison found = compare(a, b);
  const WeightSet names = a.set();
  std::vector<std::string> order;
  for (const TensorMatch& match : found.matches) order.push_back(names[match.a[0]].name);
  EXPECT_THAT(order, ElementsAre("shape", "large", "small"));
  EXPECT_EQ(found.matches[0].how, "shape [2] became [3]");
}

TEST(Alignment, WhatCannotBeReadMakesItUnknown) {
  const TestWeights a = TestWeights().random("w", {2}, 1).unreadable().random("v", {2}, 2);
  const TestWeights b = TestWeights().random("w", {2}, 1).random("v", {2}, 2);
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::unknown);
  EXPECT_THAT(found.unreadable, ElementsAre("w"));
  EXPECT_EQ(found.matched, 1U);
  EXPECT_THAT(found.only_b, IsEmpty());
}

TEST(Alignment, RolesPairWhatNamesCannot) {
  TestWeights a;
  TestWeights b;
  a.constant("x1", {4}, 0).roles({"first"}).constant("x2", {4}, 0).roles({"second"});
  b.constant("y2", {4}, 0).roles({"second"}).constant("y1", {4}, 0).roles({"first"});
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::identical);
  EXPECT_THAT(found.matches[0].b, ElementsAre(1U));
  EXPECT_THAT(found.matches[1].b, ElementsAre(0U));
}

TEST(Alignment, DoesNotDependOnThreads) {
  const TestWeights a = blocks("encoder.layer.", "query", "key", "norm");
  const TestWeights b = blocks("blocks.", "q", "k", "norm1");
  const WeightComparison one = compare(a, b, 1);
  for (const int threads : {2, 3, 7}) {
    const WeightComparison many = compare(a, b, threads);
    ASSERT_EQ(one.matches.size(), many.matches.size());
    for (std::size_t i = 0; i < one.matches.size(); ++i) {
      EXPECT_EQ(one.matches[i].a, many.matches[i].a);
      EXPECT_EQ(one.matches[i].b, many.matches[i].b);
    }
  }
}

TEST(Alignment, IsTheSameFromBothSides) {
  const TestWeights a = blocks("encoder.layer.", "query", "key", "norm");
  const TestWeights b = blocks("blocks.", "q", "k", "norm1");
  EXPECT_EQ(compare(a, b).verdict, compare(b, a).verdict);
  EXPECT_EQ(compare(a, b).renamed, compare(b, a).renamed);
}

TEST(Ties, SavedOnceAreNoLoss) {
  const TestWeights a = TestWeights().random("embed", {4, 2}, 1).tie("head");
  const TestWeights b = TestWeights().random("embed", {4, 2}, 1);
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::same_values);
  EXPECT_THAT(found.only_a, ElementsAre("head"));
  ASSERT_EQ(found.ties.size(), 1U);
  EXPECT_THAT(found.ties[0].names_a, ElementsAre("embed", "head"));
  EXPECT_THAT(found.ties[0].names_b, ElementsAre("embed"));
  EXPECT_EQ(compare(b, a).verdict, WeightsVerdict::same_values);
  EXPECT_THAT(compare(b, a).ties[0].names_a, ElementsAre("embed"));
  EXPECT_THAT(compare(b, a).ties[0].names_b, ElementsAre("embed", "head"));
}

TEST(Ties, DoNotExcuseWhatElseIsMissing) {
  const TestWeights a =
      TestWeights().random("embed", {4, 2}, 1).tie("head").random("other", {4, 2}, 2);
  const TestWeights b = TestWeights().random("embed", {4, 2}, 1);
  EXPECT_EQ(compare(a, b).verdict, WeightsVerdict::different);
  EXPECT_EQ(compare(b, a).verdict, WeightsVerdict::different);
}

TEST(Ties, ABlockMoreIsNoSecondName) {
  const auto add_block = [](TestWeights* weights, int block, std::uint32_t seed) {
    weights->random(fmt::format("h.{}.q", block), {4, 2}, seed);
    weights->random(fmt::format("h.{}.k", block), {4, 2}, seed + 1);
  };
  TestWeights a;
  add_block(&a, 0, 1);
  add_block(&a, 1, 3);
  TestWeights b;
  b.random("h.0.q", {4, 2}, 1).random("h.0.k", {4, 2}, 2);
  b.random("h.1.q", {4, 2}, 3).tie("h.2.q").random("h.1.k", {4, 2}, 4).tie("h.2.k");
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_THAT(found.only_b, ElementsAre("h.2.q", "h.2.k"));
  EXPECT_THAT(found.ties, IsEmpty());
  EXPECT_EQ(compare(b, a).verdict, WeightsVerdict::different);
}

TEST(Ties, AWeightSharedByBlocksMayBeSavedOnce) {
  const TestWeights a = TestWeights().random("h.0.q", {4, 2}, 1).random("h.1.k", {4, 2}, 2);
  const TestWeights b =
      TestWeights().random("h.1.k", {4, 2}, 2).random("h.0.q", {4, 2}, 1).tie("h.1.q");
  EXPECT_EQ(compare(a, b).verdict, WeightsVerdict::same_values);
  EXPECT_EQ(compare(a, b).ties.size(), 1U);
}

TEST(Ties, SavedTwiceAreSeen) {
  const TestWeights a = TestWeights().random("embed", {4, 2}, 1).tie("head");
  const TestWeights b = TestWeights().random("embed", {4, 2}, 1).random("head", {4, 2}, 1);
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::identical);
  EXPECT_EQ(found.ties.size(), 1U);
  EXPECT_EQ(compare(b, a).ties.size(), 1U);
  EXPECT_THAT(compare(a, a).ties, IsEmpty());
}

}  // namespace
}  // namespace samebits
