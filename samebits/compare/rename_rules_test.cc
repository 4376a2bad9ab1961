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
