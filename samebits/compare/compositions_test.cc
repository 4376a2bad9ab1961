// One tensor against several: which parts are taken, and in which order they belong.
#include <bit>

#include <fmt/format.h>

#include <gmock/gmock.h>

#include "samebits/compare/alignment.h"
#include "samebits/compare/rounding.h"
#include "samebits/compare/test_weights.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using Numbers = std::vector<float>;

/// The rows of [2, 3] tensors with these seeds, behind one another.
Numbers stacked_rows(const std::vector<std::uint32_t>& seeds) {
  Numbers rows;
  for (const std::uint32_t seed : seeds) {
    const Numbers part = TestWeights::numbers(6, seed);
    rows.insert(rows.end(), part.begin(), part.end());
  }
  return rows;
}

/// "query.weight" and so on of one block, with the seeds 1, 2 and 3 of that block.
TestWeights& add_block(TestWeights& weights, const std::string& at, std::uint32_t block) {
  std::uint32_t seed = 10 * block;
  for (const char* name : {"query", "key", "value"})
    weights.random(at + name + ".weight", {2, 3}, ++seed)
        .roles({fmt::format("{}:{}.weight", block, name)});
  return weights;
}

std::vector<std::string> roles_of_block(std::uint32_t block) {
  std::vector<std::string> roles;
  for (const char* name : {"query", "key", "value"})
    roles.push_back(fmt::format("{}:{}.weight", block, name));
  return roles;
}

std::vector<std::string> said(const WeightComparison& comparison) {
  std::vector<std::string> texts;
  for (const Exchange& exchange : comparison.exchanges) texts.push_back(exchange.summary);
  return texts;
}

/// The names of A's tensors that make up B's one.
std::vector<std::string> parts_of(const TestWeights& a, const TestWeights& b) {
  const WeightSet set = a.set();
  std::vector<std::string> names;
  for (const TensorMatch& match : compare(a, b).matches) {
    if (match.a.size() < 2) continue;
    for (const std::uint32_t i : match.a) names.push_back(set[i].name);
  }
  return names;
}

TEST(Composition, InTheOrderOfItsRolesIsTheSame) {
  TestWeights a;
  add_block(a, "x.", 0);
  const TestWeights b =
      TestWeights().add("fused", {6, 3}, stacked_rows({1, 2, 3})).roles(roles_of_block(0));
  for (const WeightComparison& found : {compare(a, b), compare(b, a)}) {
    EXPECT_EQ(found.verdict, WeightsVerdict::same_values);
    EXPECT_EQ(found.changed, 0U);
    EXPECT_THAT(said(found), IsEmpty());
  }
}

TEST(Composition, InAnotherOrderThanThatOfItsRolesIsADifference) {
  TestWeights a;
  add_block(a, "x.", 0);
  const TestWeights b =
      TestWeights().add("fused", {6, 3}, stacked_rows({2, 1, 3})).roles(roles_of_block(0));
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_EQ(found.changed, 3U);
  EXPECT_EQ(found.matches[0].kind, MatchKind::exchanged);
  EXPECT_EQ(found.matches[0].how,
            "is stacked in the order key, query, value instead of query, key, value");
  EXPECT_EQ(compare(b, a).verdict, WeightsVerdict::different);
  EXPECT_EQ(compare(b, a).changed, 1U);
}

TEST(Composition, OfAnotherBlocksPartsIsADifference) {
  TestWeights a;
  add_block(a, "x.", 0);
  add_block(a, "y.", 1);
  TestWeights b;
  b.add("fused.0", {6, 3}, stacked_rows({11, 12, 13})).roles(roles_of_block(0));
  b.add("fused.1", {6, 3}, stacked_rows({1, 2, 3})).roles(roles_of_block(1));
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_EQ(found.changed, 6U);
  std::vector<std::string> how;
  for (const TensorMatch& match : found.matches) how.push_back(match.how);
  EXPECT_THAT(
      how, UnorderedElementsAre("holds what belongs to block 1", "holds what belongs to block 0"));
}

TEST(Composition, OfPartsOfTwoBlocksIsADifference) {
  TestWeights a;
  add_block(a, "x.", 0);
  add_block(a, "y.", 1);
  TestWeights b;
  b.add("fused.0", {6, 3}, stacked_rows({1, 2, 13})).roles(roles_of_block(0));
  b.add("fused.1", {6, 3}, stacked_rows({11, 12, 3})).roles(roles_of_block(1));
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_EQ(found.changed, 6U);
  EXPECT_EQ(found.matches[0].how,
            "is stacked in the order 0:query, 0:key, 1:value instead of 0:query, 0:key, 0:value");
}

TEST(Composition, WithoutRolesTheNumbersOfNamesTellTheBlock) {
  TestWeights a;
  a.random("layer.0.query.w", {2, 3}, 1).random("layer.0.key.w", {2, 3}, 2);
  a.random("layer.1.query.w", {2, 3}, 3).random("layer.1.key.w", {2, 3}, 4);
  const TestWeights exchanged = TestWeights()
                                    .add("blocks.0.qk.w", {4, 3}, stacked_rows({3, 4}))
                                    .add("blocks.1.qk.w", {4, 3}, stacked_rows({1, 2}));
  EXPECT_EQ(compare(a, exchanged).verdict, WeightsVerdict::different);
  EXPECT_EQ(compare(exchanged, a).verdict, WeightsVerdict::different);
  EXPECT_EQ(compare(a, exchanged).matches[0].how, "holds what belongs to block 0");
  const TestWeights same = TestWeights()
                               .add("blocks.0.qk.w", {4, 3}, stacked_rows({1, 2}))
                               .add("blocks.1.qk.w", {4, 3}, stacked_rows({3, 4}));
  EXPECT_EQ(compare(a, same).verdict, WeightsVerdict::same_values);
}

/// Parts q, k and v against their rows under a name.
WeightsVerdict stacked_as(const std::string& name, const std::vector<std::uint32_t>& seeds,
                          const std::vector<const char*>& parts = {"query", "key", "value"}) {
  TestWeights a;
  std::uint32_t seed = 0;
  for (const char* part : parts) a.random(std::string("layer.") + part + ".w", {2, 3}, ++seed);
  return compare(a, TestWeights().add(name, {static_cast<std::int64_t>(2 * seeds.size()), 3},
                                      stacked_rows(seeds)))
      .verdict;
}

TEST(Composition, WithoutRolesTheLettersOfANameTellTheOrder) {
  EXPECT_EQ(stacked_as("qkv.w", {1, 2, 3}), WeightsVerdict::same_values);
  EXPECT_EQ(stacked_as("in_proj.w", {1, 2, 3}), WeightsVerdict::same_values);
  EXPECT_EQ(stacked_as("in_proj.w", {2, 1, 3}), WeightsVerdict::different);
  EXPECT_EQ(stacked_as("kqv.w", {2, 1, 3}), WeightsVerdict::same_values);
  EXPECT_EQ(stacked_as("kqv.w", {1, 2, 3}), WeightsVerdict::different);
  EXPECT_EQ(stacked_as("vkq.w", {3, 2, 1}), WeightsVerdict::same_values);
  EXPECT_EQ(stacked_as("kv.w", {1, 2}, {"key", "value"}), WeightsVerdict::same_values);
  EXPECT_EQ(stacked_as("kv.w", {2, 1}, {"key", "value"}), WeightsVerdict::different);
  EXPECT_EQ(stacked_as("vk.w", {2, 1}, {"key", "value"}), WeightsVerdict::same_values);
}

TEST(Composition, OfOtherPartsThanQueryKeyAndValueHasNoOrder) {
  EXPECT_EQ(stacked_as("gate_up.w", {2, 1}, {"left", "right"}), WeightsVerdict::same_values);
  EXPECT_EQ(stacked_as("gate_up.w", {1, 2}, {"gate", "up"}), WeightsVerdict::same_values);
  EXPECT_EQ(stacked_as("gate_up.w", {2, 1}, {"gate", "up"}), WeightsVerdict::different);
  EXPECT_EQ(stacked_as("both.w", {2, 1}, {"query.a", "key.b"}), WeightsVerdict::same_values);
}

TEST(Composition, ABiasIsMadeOfTheBiasesOfWhatItsWeightIsMadeOf) {
  TestWeights a;
  std::uint32_t seed = 0;
  for (const char* name : {"one", "two"}) {
    a.random(std::string("layer.3.") + name + ".weight", {2, 3}, ++seed);
    a.constant(std::string("layer.3.") + name + ".bias", {2}, 0);
  }
  // More alike by name, and of the same bytes.
  a.constant("blocks.3.both_old.bias", {2}, 0).constant("blocks.3.both_new.bias", {2}, 0);
  TestWeights b;
  b.add("blocks.3.both.weight", {4, 3}, stacked_rows({1, 2}))
      .constant("blocks.3.both.bias", {4}, 0);
  EXPECT_THAT(parts_of(a, b), UnorderedElementsAre("layer.3.one.weight", "layer.3.two.weight",
                                                   "layer.3.one.bias", "layer.3.two.bias"));
}

TEST(Composition, AmongEqualPartsRolesChoose) {
  TestWeights a;
  a.constant("both_old.w", {2}, 0).constant("both_new.w", {2}, 0);
  a.constant("x", {2}, 0).roles({"first"}).constant("y", {2}, 0).roles({"second"});
  const TestWeights b = TestWeights().constant("both.w", {4}, 0).roles({"first", "second"});
  EXPECT_THAT(parts_of(a, b), ElementsAre("x", "y"));
}

TEST(Composition, APartIsUsedOnce) {
  const TestWeights a = TestWeights().random("one", {2, 3}, 1);
  const WeightComparison found = compare(a, TestWeights().add("w", {4, 3}, stacked_rows({1, 1})));
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_THAT(found.only_a, ElementsAre("one"));
}

TEST(Composition, WantsTheWholeFromItsStartToItsEnd) {
  TestWeights a;
  a.random("one", {2, 3}, 1).random("two", {2, 3}, 2);
  for (const auto& seeds : {std::vector<std::uint32_t>{1, 2, 3}, {3, 1, 2}, {1, 3, 2}}) {
    const WeightComparison found = compare(a, TestWeights().add("w", {6, 3}, stacked_rows(seeds)));
    EXPECT_EQ(found.verdict, WeightsVerdict::different);
    EXPECT_EQ(found.only_a.size(), 2U);
  }
}

TEST(Composition, IsAlongTheFirstDimension) {
  // The bytes of two [2, 3] one after the other are a [4, 3], and no [2, 6].
  const TestWeights a = TestWeights().random("one", {2, 3}, 1).random("two", {2, 3}, 2);
  EXPECT_EQ(compare(a, TestWeights().add("w", {4, 3}, stacked_rows({1, 2}))).verdict,
            WeightsVerdict::same_values);
  EXPECT_EQ(compare(a, TestWeights().add("w", {2, 6}, stacked_rows({1, 2}))).verdict,
            WeightsVerdict::different);
  EXPECT_EQ(compare(a, TestWeights().add("w", {12}, stacked_rows({1, 2}))).verdict,
            WeightsVerdict::different);
}

TEST(Composition, IsOfOneType) {
  const TestWeights a = TestWeights().random("one", {2}, 1).random("two", {2}, 2);
  std::vector<std::uint32_t> bits;
  for (const std::uint32_t seed : {1, 2}) {
    for (const float value : TestWeights::numbers(2, seed))
      bits.push_back(std::bit_cast<std::uint32_t>(value));
  }
  EXPECT_EQ(compare(a, TestWeights().add_raw("w", DType::int32, {4}, bits)).verdict,
            WeightsVerdict::different);
  EXPECT_EQ(compare(a, TestWeights().add_raw("w", DType::float32, {4}, bits)).verdict,
            WeightsVerdict::same_values);
}

TEST(Composition, ATensorUnderTheNameOfTheWholeIsABetterPartner) {
  TestWeights a;
  a.random("w", {4, 3}, 9).random("one", {2, 3}, 1).random("two", {2, 3}, 2);
  const WeightComparison found = compare(a, TestWeights().add("w", {4, 3}, stacked_rows({1, 2})));
  EXPECT_EQ(found.changed, 1U);
  EXPECT_THAT(found.only_a, ElementsAre("one", "two"));
}

/// The stacked rows of block 0 with something done to the number at `place`.
Numbers changed_rows(std::size_t place, float by) {
  Numbers rows = stacked_rows({1, 2, 3});
  rows[place] += by;
  return rows;
}

TEST(ComposedByRoles, AChangeInOnePartIsFoundThere) {
  TestWeights a;
  add_block(a, "x.", 0);
  const std::pair<std::size_t, const char*> places[] = {
      {0, "part 1 of 3"}, {5, "part 1 of 3"}, {6, "part 2 of 3"}, {17, "part 3 of 3"}};
  for (const auto& [place, how] : places) {
    const TestWeights b =
        TestWeights().add("fused", {6, 3}, changed_rows(place, 0.25F)).roles(roles_of_block(0));
    for (const WeightComparison& found : {compare(a, b), compare(b, a)}) {
      EXPECT_EQ(found.verdict, WeightsVerdict::different);
      ASSERT_EQ(found.matches.size(), 1U);
      EXPECT_EQ(found.matches[0].kind, MatchKind::changed);
      EXPECT_EQ(found.matches[0].how, how);
      ASSERT_TRUE(found.matches[0].stats);
      EXPECT_EQ(found.matches[0].stats->differing, 1U);
      EXPECT_EQ(found.matches[0].a.size() + found.matches[0].b.size(), 4U);
    }
  }
}

TEST(ComposedByRoles, ThePartThatDiffersMostIsNamed) {
  TestWeights a;
  add_block(a, "x.", 0);
  for (const auto& [small, large] : {std::pair<std::size_t, std::size_t>{0, 16}, {16, 0}}) {
    Numbers rows = changed_rows(small, 0.001F);
    rows[large] += 1;
    const WeightComparison found =
        compare(a, TestWeights().add("fused", {6, 3}, rows).roles(roles_of_block(0)));
    EXPECT_EQ(found.matches[0].how, large == 0 ? "part 1 of 3" : "part 3 of 3");
  }
}

/// The parts q, k and v of 16 numbers each, and all of them as bfloat16.
std::pair<TestWeights, TestWeights> rounded_pair(bool change_one) {
  TestWeights a;
  std::vector<std::uint16_t> bits;
  std::uint32_t seed = 0;
  for (const char* name : {"query", "key", "value"}) {
    a.random(name, {8, 4}, ++seed).roles({fmt::format("0:{}.weight", name)});
    for (const float value : TestWeights::numbers(32, seed))
      bits.push_back(static_cast<std::uint16_t>(
          std::bit_cast<std::uint32_t>(static_cast<float>(round_to(DType::bfloat16, value))) >>
          16));
  }
  if (change_one) bits[40] ^= 0x40;
  return {a,
          TestWeights().add_raw("fused", DType::bfloat16, {24, 4}, bits).roles(roles_of_block(0))};
}

TEST(ComposedByRoles, RoundedInEveryPartIsRounded) {
  const auto [a, b] = rounded_pair(false);
  EXPECT_EQ(compare(a, b).verdict, WeightsVerdict::rounded);
  EXPECT_EQ(compare(a, b).matches[0].how, "float32 rounded to bfloat16");
  EXPECT_EQ(compare(b, a).verdict, WeightsVerdict::rounded);
}

TEST(ComposedByRoles, RoundedAndChangedInOneIsChanged) {
  const auto [a, b] = rounded_pair(true);
  for (const WeightComparison& found : {compare(a, b), compare(b, a)}) {
    EXPECT_EQ(found.verdict, WeightsVerdict::different);
    EXPECT_EQ(found.matches[0].how, "part 2 of 3");
  }
}

TEST(ComposedByRoles, RowsMustAddUp) {
  TestWeights a;
  add_block(a, "x.", 0);
  for (const std::int64_t rows : {5, 7}) {
    Numbers values = changed_rows(0, 1);
    values.resize(static_cast<std::size_t>(3 * rows));
    const WeightComparison found =
        compare(a, TestWeights().add("fused", {rows, 3}, values).roles(roles_of_block(0)));
    EXPECT_EQ(found.verdict, WeightsVerdict::different);
    EXPECT_EQ(found.matched, 0U);
    EXPECT_EQ(found.only_a.size(), 3U);
  }
  const WeightComparison other =
      compare(a, TestWeights().add("fused", {18}, changed_rows(0, 1)).roles(roles_of_block(0)));
  EXPECT_EQ(other.matched, 0U);
}

TEST(Permuted, RowsAreAllThereAndNoneWhereItBelongs) {
  const Numbers values = stacked_rows({1, 2});
  Numbers exchanged(values.begin() + 3, values.begin() + 6);
  exchanged.insert(exchanged.end(), values.begin(), values.begin() + 3);
  exchanged.insert(exchanged.end(), values.begin() + 6, values.end());
  const WeightComparison found = compare(TestWeights().add("head.w", {4, 3}, values),
                                         TestWeights().add("head.w", {4, 3}, exchanged));
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_EQ(found.matches[0].kind, MatchKind::exchanged);
  EXPECT_EQ(found.matches[0].how, "rows permuted");
  EXPECT_THAT(said(found), ElementsAre("head has rows permuted"));
}

}  // namespace
}  // namespace samebits
