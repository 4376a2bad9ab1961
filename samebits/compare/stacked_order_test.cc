#include "samebits/compare/stacked_order.h"

#include <gmock/gmock.h>

#include "samebits/compare/test_weights.h"

namespace samebits {
namespace {

using testing::HasSubstr;

// Two experts of a layer: each has a gate, an up and a down projection.
TestWeights experts() {
  TestWeights weights;
  for (const std::string expert : {"0", "1"}) {
    const std::uint32_t seed = expert == "0" ? 1 : 11;
    const std::string front = "layers.0.mlp.experts." + expert + ".";
    weights.random(front + "gate_proj.weight", {3, 4}, seed);
    weights.random(front + "up_proj.weight", {3, 4}, seed + 1);
    weights.random(front + "down_proj.weight", {4, 3}, seed + 2);
  }
  return weights;
}

std::vector<float> rows_of(const std::vector<std::uint32_t>& seeds) {
  std::vector<float> rows;
  for (const std::uint32_t seed : seeds) {
    const std::vector<float> part = TestWeights::numbers(12, seed);
    rows.insert(rows.end(), part.begin(), part.end());
  }
  return rows;
}

TestWeights merged(const std::vector<std::uint32_t>& gates,
                   const std::vector<std::uint32_t>& downs) {
  TestWeights weights;
  weights.add("layers.0.mlp.experts.gate_up_proj", {2, 6, 4}, rows_of(gates));
  weights.add("layers.0.mlp.experts.down_proj", {2, 4, 3}, rows_of(downs));
  return weights;
}

TEST(StackedOrder, ExpertsInOneTensorAreTheSame) {
  const WeightComparison found = compare(experts(), merged({1, 2, 11, 12}, {3, 13}));
  EXPECT_EQ(found.verdict, WeightsVerdict::same_values);
  EXPECT_EQ(found.matched, 6U);
  EXPECT_EQ(compare(merged({1, 2, 11, 12}, {3, 13}), experts()).verdict,
            WeightsVerdict::same_values);
}

TEST(StackedOrder, ExpertsInAnotherOrderAreNot) {
  const WeightComparison found = compare(experts(), merged({1, 2, 11, 12}, {13, 3}));
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  ASSERT_EQ(found.exchanges.size(), 1U);
  EXPECT_THAT(found.exchanges[0].summary, HasSubstr("another order than the numbers"));
}

TEST(StackedOrder, AGateStandsBeforeWhatItGates) {
  const WeightComparison found = compare(experts(), merged({2, 1, 12, 11}, {3, 13}));
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  ASSERT_EQ(found.exchanges.size(), 1U);
  EXPECT_THAT(found.exchanges[0].summary, HasSubstr("gate, up"));
}

}  // namespace
}  // namespace samebits
