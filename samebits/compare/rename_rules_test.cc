#include "samebits/compare/rename_rules.h"

#include <gmock/gmock.h>

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> texts(const std::vector<NamePair>& pairs) {
  std::vector<std::string> names;
  for (const NamePair& pair : pairs) names.push_back(pair.a);
  std::vector<std::string> found;
  for (const RenameRule& rule : RenameRules::learn(pairs).used_by(names))
    found.push_back(rule.from + ">" + rule.to + " " + std::to_string(rule.count));
  return found;
}

void expect_exact(const std::vector<NamePair>& pairs) {
  const RenameRules rules = RenameRules::learn(pairs);
  for (const NamePair& pair : pairs) EXPECT_EQ(rules.apply(pair.a), pair.b);
}

TEST(RenameRules, OfNoExamplesChangeNothing) {
  EXPECT_THAT(texts({}), IsEmpty());
  EXPECT_EQ(RenameRules::learn({}).apply("a.b"), "a.b");
}

TEST(RenameRules, APrefixThatBAddsIsOneRule) {
  EXPECT_THAT(texts({{"a.w", "model.a.w"}, {"b", "model.b"}}), ElementsAre(">model. 2"));
}

TEST(RenameRules, APrefixThatALosesIsOneRule) {
  EXPECT_THAT(texts({{"m.vit.a.w", "vit.a.w"}, {"m.head.w", "head.w"}}), ElementsAre("m.> 2"));
}

TEST(RenameRules, APrefixIsFoundInFrontOfWhatAllShare) {
  EXPECT_THAT(texts({{"vit.a.w", "model.vit.a.w"}, {"vit.b.w", "model.vit.b.w"}}),
              ElementsAre(">model. 2"));
}

TEST(RenameRules, APrefixMayHoldANumber) {
  EXPECT_THAT(texts({{"a.w", "0.model.a.w"}, {"b.0.w", "0.model.b.0.w"}}),
              ElementsAre(">0.model. 2"));
}

TEST(RenameRules, ABlockThatKeepsItsNamesIsNoRule) {
  const std::vector<NamePair> pairs = {{"layers.0.fc.w", "layers.0.inner.fc.w"},
                                       {"layers.0.ln.w", "layers.0.inner.ln.w"},
                                       {"layers.1.fc.w", "layers.1.fc.w"},
                                       {"layers.1.ln.w", "layers.1.ln.w"}};
  expect_exact(pairs);
  std::vector<std::string> names;
  for (const NamePair& pair : pairs) names.push_back(pair.a);
  for (const RenameRule& rule : RenameRules::learn(pairs).used_by(names))
    EXPECT_NE(rule.from, rule.to);
}

TEST(RenameRules, SlashesForDotsAreOneRule) {
  const std::vector<NamePair> pairs = {
      {"encoderblock_0/LayerNorm_0/bias", "layers.0.norm1.bias"},
      {"encoderblock_1/LayerNorm_0/bias", "layers.1.norm1.bias"},
      {"encoderblock_0/MlpBlock_3/Dense_0/bias", "layers.0.mlp.fc1.bias"},
      {"encoderblock_1/MlpBlock_3/Dense_0/bias", "layers.1.mlp.fc1.bias"}};
  EXPECT_THAT(texts(pairs), ElementsAre("/>. 4", "encoderblock_>layers. 4", "LayerNorm_0.>norm1. 2",
                                        "MlpBlock_3.Dense_0.>mlp.fc1. 2"));
  expect_exact(pairs);
  std::vector<NamePair> turned;
  for (const NamePair& pair : pairs) turned.push_back({pair.b, pair.a});
  EXPECT_EQ(texts(turned).back(), ".>/ 4");
  expect_exact(turned);
}

TEST(RenameRules, AreRunsOfPieces) {
  const std::vector<NamePair> pairs = {
      {"vit.encoder.layer.0.attention.attention.query.weight",
       "vit.layers.0.attention.q_proj.weight"},
      {"vit.encoder.layer.1.attention.attention.key.weight",
       "vit.layers.1.attention.k_proj.weight"},
      {"vit.encoder.layer.1.layernorm_before.weight", "vit.layers.1.layernorm_before.weight"}};
  EXPECT_THAT(texts(pairs), ElementsAre("encoder.layer.>layers. 3", "attention.key.>k_proj. 1",
                                        "attention.query.>q_proj. 1"));
  expect_exact(pairs);
}

TEST(RenameRules, TakeThePieceInFrontWhereOneRunHasTwoMeanings) {
  const std::vector<NamePair> pairs = {
      {"layer.0.attention.output.dense.weight", "layer.0.attention.o_proj.weight"},
      {"layer.0.output.dense.weight", "layer.0.mlp.fc2.weight"},
      {"layer.1.attention.output.dense.weight", "layer.1.attention.o_proj.weight"},
      {"layer.1.output.dense.weight", "layer.1.mlp.fc2.weight"}};
  EXPECT_THAT(texts(pairs), ElementsAre("attention.output.dense.>attention.o_proj. 2",
                                        "{n}.output.dense.>{n}.mlp.fc2. 2"));
  expect_exact(pairs);
}

TEST(RenameRules, DoNotTouchTheSameRunWhereItStays) {
  const std::vector<NamePair> pairs = {{"x.norm.weight", "x.ln.weight"},
                                       {"y.norm.weight", "z.norm.weight"}};
  expect_exact(pairs);
}

TEST(RenameRules, FallBackOnWholeNames) {
  const std::vector<NamePair> pairs = {
      {"net.0.weight", "net.3.weight"}, {"net.1.weight", "head"}, {"a.1.b", "b.1.a"}};
  expect_exact(pairs);
}

TEST(RenameRules, AnInsertionHasAPieceOfContext) {
  const std::vector<NamePair> pairs = {{"a.w", "a.inner.w"}, {"b.w", "b.w"}};
  EXPECT_THAT(texts(pairs), ElementsAre("a.>a.inner. 1"));
  expect_exact(pairs);
}

TEST(RenameRules, SayWhatAnUnseenNameBecomes) {
  const RenameRules rules = RenameRules::learn({{"layer.0.query.weight", "blocks.0.q.weight"},
                                                {"layer.1.query.weight", "blocks.1.q.weight"}});
  EXPECT_EQ(rules.apply("layer.7.query.bias"), "blocks.7.q.bias");
}

}  // namespace
}  // namespace samebits
