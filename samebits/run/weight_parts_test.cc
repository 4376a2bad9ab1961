#include "samebits/run/weight_parts.h"

#include <gmock/gmock.h>

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;
using testing::UnorderedElementsAreArray;

constexpr std::size_t kWidth = 5;  // of which query, key and value fill no whole tiles

std::vector<float> numbers(std::size_t count, float first) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = first + static_cast<float>(i);
  return values;
}

LinearWeights linear_weights(std::size_t columns, std::size_t depth, float first) {
  const std::vector<float> matrix = numbers(columns * depth, first);
  return {PackedMatrix(matrix.data(), columns, depth, depth), numbers(columns, first)};
}

/// A model of one block in which no number is another's.
VitWeights weights(float first) {
  VitWeights weights;
  weights.class_token = numbers(kWidth, first);
  weights.positions = numbers(2 * kWidth, first);
  weights.patches = linear_weights(kWidth, 3, first);
  weights.norm = {numbers(kWidth, first), numbers(kWidth, first)};
  weights.classifier = linear_weights(2, kWidth, first);
  VitBlock block;
  block.norm1 = block.norm2 = weights.norm;
  block.qkv = linear_weights(3 * kWidth, kWidth, first);
  block.attention_output = linear_weights(kWidth, kWidth, first);
  block.mlp_in = linear_weights(2 * kWidth, kWidth, first);
  block.mlp_out = linear_weights(kWidth, 2 * kWidth, first);
  weights.blocks.push_back(std::move(block));
  return weights;
}

std::set<std::string> all_parts() {
  VitWeights a = weights(1);
  VitWeights b = weights(1000);
  const auto names = differing_parts(a, b);
  return {names->begin(), names->end()};
}

void swap_parts(VitWeights& a, VitWeights& b, const std::set<std::string>& names) {
  for (const auto& exchange : exchanges(a, b, names)) exchange();
}

TEST(WeightParts, EqualModelsHaveNoneThatDiffer) {
  VitWeights a = weights(1);
  VitWeights b = weights(1);
  EXPECT_THAT(differing_parts(a, b), Optional(IsEmpty()));
}

TEST(WeightParts, AreTheTensorsThatFilesHold) {
  const std::set<std::string> names = all_parts();
  EXPECT_EQ(names.size(), 24U);
  for (const char* name :
       {"cls_token", "positions", "patches.weight", "0:norm1.bias", "0:query.weight", "0:key.bias",
        "0:value.weight", "norm.weight", "classifier.bias"})
    EXPECT_TRUE(names.contains(name)) << name;
}

TEST(WeightParts, AreExchangedOneByOne) {
  for (const std::string& name : all_parts()) {
    VitWeights a = weights(1);
    VitWeights b = weights(1000);
    swap_parts(a, b, {name});
    VitWeights own = weights(1);
    VitWeights other = weights(1000);
    EXPECT_THAT(differing_parts(a, own), Optional(ElementsAre(name)));
    EXPECT_THAT(differing_parts(b, other), Optional(ElementsAre(name)));
    swap_parts(a, b, {name});
    EXPECT_THAT(differing_parts(a, own), Optional(IsEmpty())) << name;
  }
}

TEST(WeightParts, AreExchangedTogether) {
  VitWeights a = weights(1);
  VitWeights b = weights(1000);
  swap_parts(a, b, all_parts());
  VitWeights own = weights(1);
  EXPECT_THAT(differing_parts(b, own), Optional(IsEmpty()));
  EXPECT_THAT(differing_parts(a, own), Optional(UnorderedElementsAreArray(all_parts())));
}

TEST(WeightParts, OfALayerAllMatricesMayBeNamedWithoutTheirBiases) {
  const std::set<std::string> matrices = {"0:query.weight", "0:key.weight", "0:value.weight"};
  VitWeights a = weights(1);
  VitWeights b = weights(1000);
  swap_parts(a, b, matrices);
  VitWeights own = weights(1);
  EXPECT_THAT(differing_parts(a, own), Optional(UnorderedElementsAreArray(matrices)));
}

TEST(WeightParts, OtherSizesCannotBeCompared) {
  VitWeights a = weights(1);
  VitWeights b = weights(1);
  b.positions.push_back(0);
  EXPECT_EQ(differing_parts(a, b), std::nullopt);
  b = weights(1);
  b.blocks.push_back(b.blocks[0]);
  EXPECT_EQ(differing_parts(a, b), std::nullopt);
}

}  // namespace
}  // namespace samebits
