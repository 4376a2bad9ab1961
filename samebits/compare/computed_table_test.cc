#include "samebits/compare/computed_table.h"

#include <cmath>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "samebits/compare/test_weights.h"

namespace samebits {
namespace {

std::string what_of(const std::string& name, const Shape& shape, const std::vector<float>& values) {
  const TestWeights weights = TestWeights().add(name, shape, values);
  const WeightSet set = weights.set();
  const auto table = computed_table(name, set[0].view);
  return table ? table->what : "";
}

std::string what_of(const std::string& name, const Shape& shape,
                    const std::vector<std::int64_t>& values) {
  const TestWeights weights = TestWeights().add_raw(name, DType::int64, shape, values);
  const WeightSet set = weights.set();
  const auto table = computed_table(name, set[0].view);
  return table ? table->what : "";
}

TEST(ComputedTable, PositionsCountInEveryRow) {
  EXPECT_EQ(what_of("embeddings.position_ids", {2, 3}, std::vector<std::int64_t>{0, 1, 2, 0, 1, 2}),
            "0, 1, 2, ...");
  EXPECT_EQ(what_of("embeddings.position_ids", {1, 3}, std::vector<std::int64_t>{0, 2, 1}), "");
  EXPECT_EQ(what_of("old_position_ids", {1, 2}, std::vector<std::int64_t>{0, 1}), "");
  EXPECT_EQ(what_of("token_type_ids", {1, 2}, std::vector<std::int64_t>{0, 0}), "zeros");
  EXPECT_EQ(what_of("token_type_ids", {1, 2}, std::vector<std::int64_t>{0, 1}), "");
}

// transformers 4.57.6: SwinSelfAttention(config, 8, 2, (2, 2)) and BEiT's with a class token.
TEST(ComputedTable, PlacesInAWindow) {
  const std::string name = "attention.self.relative_position_index";
  std::vector<std::int64_t> swin = {4, 3, 1, 0, 5, 4, 2, 1, 7, 6, 4, 3, 8, 7, 5, 4};
  EXPECT_EQ(what_of(name, {4, 4}, swin), "how far apart the patches of a window of 2 x 2 are");
  swin[5] = 3;
  EXPECT_EQ(what_of(name, {4, 4}, swin), "");
  const std::vector<std::int64_t> beit = {11, 9, 9,  9, 9, 10, 4, 3,  1, 0, 10, 5, 4,
                                          2,  1, 10, 7, 6, 4,  3, 10, 8, 7, 5,  4};
  EXPECT_EQ(what_of(name, {5, 5}, beit), "how far apart the patches of a window of 2 x 2 are");
}

TEST(ComputedTable, FrequenciesSayTheirBase) {
  std::vector<float> values(4);
  for (std::size_t i = 0; i < 4; ++i)
    values[i] = static_cast<float>(std::pow(500000.0, -static_cast<double>(i) / 4));
  EXPECT_EQ(what_of("rotary_emb.inv_freq", {4}, values), "500000^(-i/4)");
  values[2] *= 1.001F;  // as scaled frequencies are not
  EXPECT_EQ(what_of("rotary_emb.inv_freq", {4}, values), "");
}

TEST(ComputedTable, MasksOfTokensBefore) {
  EXPECT_EQ(what_of("h.0.attn.bias", {1, 1, 3, 3}, std::vector<float>{1, 0, 0, 1, 1, 0, 1, 1, 1}),
            "which tokens each one sees");
  EXPECT_EQ(what_of("h.0.attn.bias", {1, 1, 3, 3}, std::vector<float>{1, 0, 0, 1, 1, 0, 0, 1, 1}),
            "which tokens each one sees");
  EXPECT_EQ(what_of("h.0.attn.bias", {1, 1, 3, 3}, std::vector<float>{1, 0, 0, 1, 1, 1, 1, 1, 1}),
            "");
  EXPECT_EQ(what_of("attn.bias", {9}, std::vector<float>(9, 1)), "");
  EXPECT_EQ(what_of("attn.masked_bias", {}, std::vector<float>{-1e9F}),
            "what stands for a token that is not seen");
  EXPECT_EQ(what_of("attn.masked_bias", {}, std::vector<float>{-1}), "");
}

TEST(ComputedTable, SinesOfPositions) {
  for (const double last : {2.0, 1.0}) {
    std::vector<float> values;
    for (int row = 0; row < 3; ++row) {
      for (int column = 0; column < 4; ++column) {
        const double angle = row * std::pow(10000.0, -(column % 2) / last);
        values.push_back(static_cast<float>(column < 2 ? std::sin(angle) : std::cos(angle)));
      }
    }
    EXPECT_EQ(what_of("encoder.embed_positions.weight", {3, 4}, values),
              "sines and cosines of positions");
    values[6] += 1e-4F;  // learnt
    EXPECT_EQ(what_of("encoder.embed_positions.weight", {3, 4}, values), "");
  }
}

}  // namespace
}  // namespace samebits
