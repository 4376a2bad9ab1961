#include "samebits/model/repair.h"

#include <gmock/gmock.h>

namespace samebits::model {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

/// A reading in which tensor i plays roles[i].
Recognition reading(const std::vector<std::string>& roles) {
  Recognition recognition{.model_class = find_class(Library::transformers4, "ViTModel"),
                          .prefix = "model."};
  for (std::size_t i = 0; i < roles.size(); ++i)
    recognition.pieces.push_back({.role = roles[i], .tensor = i});
  return recognition;
}

TEST(ApplyRules, FirstRuleThatFitsTheStartWins) {
  const std::vector<RenameRule> rules = {{"a.{n}.b.", "x.{n}."}, {"a.", "y."}, {"", "z."}};
  EXPECT_EQ(apply_rules(rules, "a.12.b.w"), "x.12.w");
  EXPECT_EQ(apply_rules(rules, "a.b.w"), "y.b.w");
  EXPECT_EQ(apply_rules(rules, "b"), "z.b");
  EXPECT_EQ(apply_rules({}, "b"), "b");
}

TEST(SuggestRepair, NothingIsSuggestedWhereNothingIsRestored) {
  const std::vector<TensorSpec> targets = {{"norm.weight", "norm.weight", {4}}};
  const auto repair =
      suggest_repair(targets, {false}, reading({"norm.weight"}), {{"n.weight", {4}}});
  EXPECT_THAT(repair.rules, IsEmpty());
  EXPECT_THAT(repair.restored, IsEmpty());
}

TEST(SuggestRepair, AnotherShapeIsNoSource) {
  const std::vector<TensorSpec> targets = {{"norm.weight", "norm.weight", {4}}};
  EXPECT_THAT(
      suggest_repair(targets, {true}, reading({"norm.weight"}), {{"n.weight", {5}}}).restored,
      IsEmpty());
}

TEST(SuggestRepair, TensorsThatAShorterRuleWouldHitAreNamed) {
  // "b." to "c." alone would take b.x.weight, which stays where it is, along.
  const std::vector<TensorSpec> targets = {{"c.norm.weight", "norm.weight", {4}},
                                           {"b.x.weight", "pooler.weight", {4}}};
  const std::vector<StoredShape> tensors = {{"b.norm.weight", {4}}, {"b.x.weight", {4}}};
  const auto repair =
      suggest_repair(targets, {true, false}, reading({"norm.weight", "pooler.weight"}), tensors);
  EXPECT_EQ(apply_rules(repair.rules, "b.norm.weight"), "c.norm.weight");
  EXPECT_EQ(apply_rules(repair.rules, "b.x.weight"), "b.x.weight");
}

TEST(SuggestRepair, OnlyKnownPrefixesAreTakenAwayAsSuch) {
  const std::vector<TensorSpec> targets = {{"norm.weight", "norm.weight", {4}}};
  const auto rules_from = [&](const char* name) {
    return suggest_repair(targets, {true}, reading({"norm.weight"}), {{name, {4}}}).rules;
  };
  EXPECT_THAT(rules_from("model.norm.weight"),
              ElementsAre(AllOf(Field(&RenameRule::from, "model."), Field(&RenameRule::to, ""))));
  EXPECT_THAT(rules_from("part.norm.weight"),
              ElementsAre(AllOf(Field(&RenameRule::from, "part.norm.weight"),
                                Field(&RenameRule::to, "norm.weight"))));
}

TEST(SuggestRepair, PiecesAreCutInTheirOrder) {
  std::vector<TensorSpec> targets = {{"k", "3:key.weight", {2, 2}},
                                     {"v", "3:value.weight", {2, 2}},
                                     {"q", "3:query.weight", {2, 2}}};
  const auto repair = suggest_repair(targets, {true, true, true}, reading({"3:qkv.weight"}),
                                     {{"blocks.3.qkv", {6, 2}}});
  EXPECT_THAT(repair.refits, ElementsAre(AllOf(Field(&Refit::from, ElementsAre("blocks.{n}.qkv")),
                                               Field(&Refit::to, ElementsAre("q", "k", "v")))));
}

TEST(SuggestRepair, StackNeedsEveryPart) {
  const std::vector<TensorSpec> targets = {{"qkv.weight", "3:qkv.weight", {6, 2}}};
  const std::vector<StoredShape> tensors = {{"q", {2, 2}}, {"k", {2, 2}}, {"v", {2, 2}}};
  const auto all = reading({"3:query.weight", "3:key.weight", "3:value.weight"});
  const auto two = reading({"3:query.weight", "3:key.weight"});
  EXPECT_THAT(suggest_repair(targets, {true}, all, tensors).restored, ElementsAre("qkv.weight"));
  EXPECT_THAT(suggest_repair(targets, {true}, two, tensors).restored, IsEmpty());
}

}  // namespace
}  // namespace samebits::model
