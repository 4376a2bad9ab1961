#include "samebits/compare/trace.h"

#include <algorithm>

#include <gmock/gmock.h>

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::Pair;

Checkpoint trace(const std::vector<std::string>& names, std::vector<std::string> order = {}) {
  Checkpoint checkpoint;
  for (const std::string& name : names) {
    StoredTensor point;
    point.path = name;
    point.offset = checkpoint.entries.size();
    checkpoint.entries.push_back(std::move(point));
  }
  checkpoint.trace_order = std::move(order);
  return checkpoint;
}

TEST(TracePoints, StandInTheWrittenOrder) {
  EXPECT_THAT(trace_points(trace({"a", "b", "c"}, {"c", "a", "b"})), ElementsAre(2, 0, 1));
}

TEST(TracePoints, WithoutOneInThatOfTheFile) {
  EXPECT_THAT(trace_points(trace({"b", "a"})), ElementsAre(0, 1));
}

TEST(TracePoints, ModulesOfAVitStandInTheOrderOfItsPass) {
  EXPECT_THAT(trace_points(trace({"classifier", "other", "vit.embeddings", "vit.layernorm",
                                  "vit.layers.0", "vit.layers.0.attention",
                                  "vit.layers.0.attention.q_proj", "vit.layers.0.mlp",
                                  "vit.layers.10", "vit.layers.2", "vit.layers.0.layernorm_after",
                                  "vit.layers.0.layernorm_before", "pixel_values"})),
              ElementsAre(12, 2, 11, 6, 5, 10, 7, 4, 9, 8, 3, 0, 1));
}

/// The points in the order of the pass, given in the reverse of it.
std::vector<std::string> in_order_of_the_pass(std::vector<std::string> names) {
  std::reverse(names.begin(), names.end());
  std::vector<std::string> sorted;
  for (const std::uint32_t point : trace_points(trace(names))) sorted.push_back(names[point]);
  return sorted;
}

TEST(TracePoints, EveryModuleOfABlockHasItsPlaceInIt) {
  // Dinov2Layer.forward() of transformers 5.24.0, which scales what attention and MLP give.
  const std::vector<std::string> dinov2 = {"dinov2.embeddings.patch_embeddings.projection",
                                           "dinov2.embeddings.patch_embeddings",
                                           "dinov2.embeddings.dropout",
                                           "dinov2.embeddings",
                                           "dinov2.encoder.layer.2.norm1",
                                           "dinov2.encoder.layer.2.attention.attention.query",
                                           "dinov2.encoder.layer.2.attention.attention.key",
                                           "dinov2.encoder.layer.2.attention.attention.value",
                                           "dinov2.encoder.layer.2.attention.attention",
                                           "dinov2.encoder.layer.2.attention.output.dense",
                                           "dinov2.encoder.layer.2.attention.output.dropout",
                                           "dinov2.encoder.layer.2.attention.output",
                                           "dinov2.encoder.layer.2.attention",
                                           "dinov2.encoder.layer.2.layer_scale1",
                                           "dinov2.encoder.layer.2.norm2",
                                           "dinov2.encoder.layer.2.mlp.fc1",
                                           "dinov2.encoder.layer.2.mlp.activation",
                                           "dinov2.encoder.layer.2.mlp.fc2",
                                           "dinov2.encoder.layer.2.mlp",
                                           "dinov2.encoder.layer.2.layer_scale2",
                                           "dinov2.encoder.layer.2.drop_path",
                                           "dinov2.encoder.layer.2",
                                           "dinov2.encoder.layer.10.norm1",
                                           "dinov2.encoder.layer.10",
                                           "dinov2.encoder",
                                           "dinov2.layernorm",
                                           "dinov2",
                                           "classifier"};
  EXPECT_EQ(in_order_of_the_pass(dinov2), dinov2);
  // ViTMAELayer of 4.57.6, with the decoder behind the encoder.
  const std::vector<std::string> mae = {"pixel_values",
                                        "vit.embeddings",
                                        "vit.encoder.layer.0.layernorm_before",
                                        "vit.encoder.layer.0.attention",
                                        "vit.encoder.layer.0.layernorm_after",
                                        "vit.encoder.layer.0.intermediate.dense",
                                        "vit.encoder.layer.0.intermediate.intermediate_act_fn",
                                        "vit.encoder.layer.0.intermediate",
                                        "vit.encoder.layer.0.output.dense",
                                        "vit.encoder.layer.0.output",
                                        "vit.encoder.layer.0",
                                        "vit.encoder",
                                        "vit.layernorm",
                                        "vit",
                                        "decoder.decoder_embed",
                                        "decoder.decoder_layers.0.layernorm_before",
                                        "decoder.decoder_layers.0",
                                        "decoder.decoder_layers.1",
                                        "decoder.decoder_norm",
                                        "decoder.decoder_pred",
                                        "decoder"};
  EXPECT_EQ(in_order_of_the_pass(mae), mae);
  const std::vector<std::string> gated = {"layers.0.mlp.gate_proj",
                                          "layers.0.mlp.up_proj",
                                          "layers.0.mlp.down_proj",
                                          "layers.0.mlp",
                                          "layers.0",
                                          "layernorm",
                                          "pooler.dense",
                                          "pooler.activation",
                                          "pooler"};
  EXPECT_EQ(in_order_of_the_pass(gated), gated);
}

TEST(TracePoints, TheirOrderIsKnownWhereItIsWrittenOrAllAreModulesOfAVit) {
  EXPECT_TRUE(has_known_order(trace({"x", "y"}, {"x", "y"})));
  EXPECT_TRUE(has_known_order(trace({"vit.layers.0", "classifier"})));
  EXPECT_FALSE(has_known_order(trace({"vit.layers.0", "x"})));
}

TEST(TracePoints, WhatTheOrderDoesNotNameComesLast) {
  EXPECT_THAT(trace_points(trace({"x", "a", "b"}, {"b", "a", "gone"})), ElementsAre(2, 1, 0));
}

TEST(MatchPoints, ByNameAndThenWithoutPrefixes) {
  const PointPairs pairs =
      match_points(trace({"vit.embeddings", "vit.layers.0", "vit.layernorm", "classifier"}),
                   trace({"classifier", "layernorm", "encoder.layer.0", "pooler"}));
  EXPECT_THAT(pairs.matched, ElementsAre(Pair(1, 2), Pair(2, 1), Pair(3, 0)));
  EXPECT_THAT(pairs.only_a, ElementsAre("vit.embeddings"));
  EXPECT_THAT(pairs.only_b, ElementsAre("pooler"));
}

TEST(MatchPoints, ANameThatFitsTwiceFitsNothing) {
  const PointPairs pairs = match_points(trace({"vit.x"}), trace({"model.x", "deit.x"}));
  EXPECT_TRUE(pairs.matched.empty());
  EXPECT_EQ(pairs.only_b.size(), 2U);
}

}  // namespace
}  // namespace samebits
