#include "samebits/model/find_renaming.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>

#include "samebits/model/name_rules.h"

namespace samebits::model {
namespace {

using Names = std::vector<StoredShape>;
using ::testing::IsEmpty;
using ::testing::Lt;
using ::testing::SizeIs;

/// Blocks of a transformer, each with a norm and a layer, and what stands around them.
Names transformer(const std::vector<std::string>& blocks, const std::string& prefix = "") {
  Names names = {{prefix + "cls_token", {1, 1, 8}}, {prefix + "norm.weight", {8}}};
  for (const std::string& block : blocks) {
    names.push_back({prefix + block + "norm1.weight", {8}});
    names.push_back({prefix + block + "mlp.fc1.weight", {16, 8}});
    names.push_back({prefix + block + "mlp.fc2.weight", {8, 16}});
  }
  return names;
}

std::vector<std::string> rules_text(const Repair& repair) {
  std::vector<std::string> text;
  for (const RenameRule& rule : repair.rules) text.push_back(rule.from + " -> " + rule.to);
  return text;
}

/// Searches, and holds that the rules do what they say.
Repair found(const Names& from, const Names& to) {
  std::vector<bool> unfilled;
  for (const StoredShape& target : to)
    unfilled.push_back(std::ranges::none_of(from, [&](const StoredShape& tensor) {
      return tensor.name == target.name && tensor.shape == target.shape;
    }));
  const Repair repair = find_renaming(to, unfilled, from).repair;
  std::map<std::string, int> filled;
  for (const StoredShape& tensor : from) ++filled[apply_rules(repair.rules, tensor.name)];
  for (const std::string& name : repair.restored) EXPECT_EQ(filled[name], 1) << name;
  for (const StoredShape& target : to) EXPECT_LE(filled[target.name], 1) << target.name;
  return repair;
}

const std::vector<std::string> kBlocks = {"blocks.0.", "blocks.1.", "blocks.2.", "blocks.3."};
using Rules = std::vector<std::string>;

TEST(FindRenaming, WrappersOfDataParallelAndOfCompiledBlocks) {
  const Names plain = transformer(kBlocks);
  EXPECT_EQ(rules_text(found(transformer(kBlocks, "module."), plain)), Rules{"module. -> "});
  EXPECT_EQ(rules_text(found(plain, transformer(kBlocks, "module."))), Rules{" -> module."});
  const Names compiled = transformer(
      {"blocks.0._orig_mod.", "blocks.1._orig_mod.", "blocks.2._orig_mod.", "blocks.3._orig_mod."});
  EXPECT_EQ(rules_text(found(compiled, plain)), Rules{"blocks.{n}._orig_mod. -> blocks.{n}."});
  EXPECT_EQ(rules_text(found(plain, compiled)), Rules{"blocks.{n}. -> blocks.{n}._orig_mod."});
}

TEST(FindRenaming, WrappersInSeveralPlacesAtOnce) {
  const Names sharded = transformer({"blocks.0._fsdp_wrapped_module._checkpoint_wrapped_module.",
                                     "blocks.1._fsdp_wrapped_module._checkpoint_wrapped_module."},
                                    "module._fsdp_wrapped_module.");
  const Repair repair = found(sharded, transformer({"blocks.0.", "blocks.1."}));
  EXPECT_EQ(
      rules_text(repair),
      (Rules{"module._fsdp_wrapped_module.blocks.{n}._fsdp_wrapped_module._checkpoint_wrapped_"
             "module. -> blocks.{n}.",
             "module._fsdp_wrapped_module. -> "}));
  EXPECT_EQ(repair.restored.size(), 8U);
}

TEST(FindRenaming, BlocksInChunksBothWaysAndCountedAnew) {
  const Names plain = transformer(kBlocks);
  const Names on = transformer({"blocks.0.0.", "blocks.0.1.", "blocks.1.2.", "blocks.1.3."});
  const Names anew = transformer({"blocks.0.0.", "blocks.0.1.", "blocks.1.0.", "blocks.1.1."});
  EXPECT_EQ(rules_text(found(plain, on)), Rules{"blocks.{n}. -> blocks.{n // 2}.{n}."});
  EXPECT_EQ(rules_text(found(on, plain)), Rules{"blocks.{m}.{n}. -> blocks.{n}."});
  EXPECT_EQ(rules_text(found(plain, anew)), Rules{"blocks.{n}. -> blocks.{n // 2}.{n % 2}."});
  EXPECT_EQ(rules_text(found(anew, plain)), Rules{"blocks.{m}.{n}. -> blocks.{2 * m + n}."});
  EXPECT_EQ(
      rules_text(found(transformer({"blocks.0.0.", "blocks.0.1.", "blocks.1.2.", "blocks.1.3."},
                                   "teacher.backbone."),
                       plain)),
      (Rules{"teacher.backbone.blocks.{m}.{n}. -> blocks.{n}.", "teacher.backbone. -> "}));
}

TEST(FindRenaming, APartMoreInTheMiddle) {
  Names one = transformer(kBlocks), other = one;
  one.push_back({"heads.weight", {3, 8}});
  one.push_back({"heads.bias", {3}});
  other.push_back({"heads.head.weight", {3, 8}});
  other.push_back({"heads.head.bias", {3}});
  EXPECT_EQ(rules_text(found(one, other)), Rules{"heads. -> heads.head."});
  EXPECT_EQ(rules_text(found(other, one)), Rules{"heads.head. -> heads."});
  Names flat = {{"embeddings.word.weight", {9, 8}}, {"pooler.weight", {8, 8}}}, nested = flat;
  for (const StoredShape& tensor : transformer({"layer.0.", "layer.1."})) {
    flat.push_back({"encoder." + tensor.name, tensor.shape});
    nested.push_back({"encoder.encoder." + tensor.name, tensor.shape});
  }
  EXPECT_EQ(rules_text(found(flat, nested)), Rules{"encoder. -> encoder.encoder."});
  EXPECT_EQ(rules_text(found(nested, flat)), Rules{"encoder.encoder. -> encoder."});
}

TEST(FindRenaming, AnotherNameForAWholeSubtreeAndForAClassifier) {
  Names one = transformer(kBlocks, "backbone."), other = transformer(kBlocks, "trunk.");
  one.push_back({"fc.weight", {3, 8}});
  other.push_back({"classifier.weight", {3, 8}});
  const Repair repair = found(one, other);
  EXPECT_EQ(rules_text(repair), (Rules{"backbone. -> trunk.", "fc. -> classifier."}));
}

TEST(FindRenaming, NothingWhereNamesHaveNothingToDoWithEachOther) {
  const Names resnet = {{"stem.conv.weight", {8, 3, 7, 7}},
                        {"stem.norm.weight", {8}},
                        {"stages.0.conv.weight", {8, 8, 3, 3}},
                        {"stages.0.bn.weight", {8}},
                        {"classifier.1.weight", {3, 8}}};
  Names vit = transformer(kBlocks);
  vit.push_back({"classifier.weight", {3, 8}});
  EXPECT_TRUE(found(resnet, vit).rules.empty());
  EXPECT_TRUE(found(resnet, vit).restored.empty());
}

TEST(FindRenaming, BlocksUnderOtherNumbersKeepTheirOrder) {
  const Names plain = transformer(kBlocks);
  const auto numbered = [](const std::vector<int>& numbers) {
    std::vector<std::string> blocks;
    for (const int number : numbers) blocks.push_back("blocks." + std::to_string(number) + ".");
    return transformer(blocks);
  };
  EXPECT_EQ(rules_text(found(numbered({1, 2, 3, 4}), plain)),
            Rules{"blocks.{n}. -> blocks.{n - 1}."});
  EXPECT_EQ(rules_text(found(numbered({0, 2, 4, 6}), plain)),
            Rules{"blocks.{n}. -> blocks.{n // 2}."});
  const Repair gap = found(numbered({0, 1, 3, 4}), plain);
  EXPECT_EQ(apply_rules(gap.rules, "blocks.3.norm1.weight"), "blocks.2.norm1.weight");
  EXPECT_EQ(apply_rules(gap.rules, "blocks.4.norm1.weight"), "blocks.3.norm1.weight");
  EXPECT_THAT(gap.restored, SizeIs(3));
  // Fewer blocks than are wanted: each stays where it is.
  EXPECT_THAT(found(numbered({1, 2}), plain).rules, IsEmpty());
}

TEST(FindRenaming, NamesThatAreAnOrderAlone) {
  const Names plain = transformer({"blocks.0."});
  Names numbered = plain;
  for (std::size_t i = 0; i < plain.size(); ++i) numbered[i].name = "arr_" + std::to_string(i);
  EXPECT_THAT(found(numbered, plain).restored, SizeIs(plain.size()));
  std::swap(numbered[0].name, numbered[1].name);
  EXPECT_THAT(found(numbered, plain).restored, SizeIs(Lt(plain.size())));
}

TEST(FindRenaming, ASubtreeOfOneModuleWhereNoOtherWouldDo) {
  const auto model = [](const std::vector<std::string>& parts) {
    Names names = {{"embed.weight", {12, 8}}, {"head.weight", {3, 8}}};
    for (const std::string& part : parts)
      for (const char* leaf : {"in_weight", "out_weight", "hidden_weight", "state_weight"})
        names.push_back({part + "." + leaf, {8, 8}});
    return names;
  };
  EXPECT_EQ(rules_text(found(model({"lstm"}), model({"rnn"}))), Rules{"lstm. -> rnn."});
  EXPECT_THAT(found(model({"a", "b"}), model({"x", "y"})).rules, IsEmpty());
}

TEST(FindRenaming, OneRuleForAllBlocksAndNoneForOtherDepths) {
  std::vector<std::string> few, many;
  for (int n = 0; n < 57; ++n) many.push_back("blocks." + std::to_string(n) + ".");
  few.assign(many.begin(), many.begin() + 12);
  const Repair repair = found(transformer(few, "model."), transformer(many));
  EXPECT_EQ(rules_text(repair), Rules{"model. -> "});
  EXPECT_EQ(repair.restored.size(), 38U);
  EXPECT_TRUE(found(transformer(few), transformer(many)).rules.empty());
}

TEST(FindRenaming, AmbiguousPrefixesAreNamed) {
  Names both = transformer(kBlocks, "student."), more = transformer(kBlocks, "teacher.");
  both.insert(both.end(), more.begin(), more.end());
  const Names plain = transformer(kBlocks);
  const Renaming renaming = find_renaming(plain, std::vector<bool>(plain.size(), true), both);
  EXPECT_EQ(rules_text(renaming.repair), Rules{"student. -> "});
  EXPECT_EQ(renaming.ambiguous, std::vector<std::string>{"teacher."});
}

TEST(FindRenaming, BetweenLibrariesOfTheFamily) {
  Names timm = {{"cls_token", {1, 1, 8}},
                {"pos_embed", {1, 5, 8}},
                {"patch_embed.proj.weight", {8, 3, 4, 4}},
                {"patch_embed.proj.bias", {8}},
                {"norm.weight", {8}},
                {"norm.bias", {8}}};
  Names hf = {{"vit.embeddings.cls_token", {1, 1, 8}},
              {"vit.embeddings.position_embeddings", {1, 5, 8}},
              {"vit.embeddings.patch_embeddings.projection.weight", {8, 3, 4, 4}},
              {"vit.embeddings.patch_embeddings.projection.bias", {8}},
              {"vit.layernorm.weight", {8}},
              {"vit.layernorm.bias", {8}}};
  EXPECT_EQ(found(timm, hf).restored.size(), hf.size());
}

TEST(NameRules, ExceptionsStandBeforeWhatTheyAreExceptionsTo) {
  const std::vector<RenameRule> rules = rules_for_names(
      {{"a.x.w", "b.x.w"}, {"a.y.w", "b.y.w"}, {"a.z.w", "a.z.w"}, {"norm.gamma", "norm.weight"}});
  EXPECT_EQ(apply_rules(rules, "a.x.w"), "b.x.w");
  EXPECT_EQ(apply_rules(rules, "a.z.w"), "a.z.w");
  EXPECT_EQ(apply_rules(rules, "norm.gamma"), "norm.weight");
  std::string renamed;
  EXPECT_TRUE(rename({.from = "l.{m}.{n}.", .to = "l.{3 * m + n}."}, "l.2.1.w", &renamed));
  EXPECT_EQ(renamed, "l.7.w");
  EXPECT_FALSE(rename({.from = "l.{n}."}, "l.x.w", &renamed));
}

}  // namespace
}  // namespace samebits::model
