#include "samebits/compare/trace.h"

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
