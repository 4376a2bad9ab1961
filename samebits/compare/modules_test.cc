#include "samebits/compare/modules.h"

#include <gmock/gmock.h>

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kTorchNorm = "torch.nn.modules.normalization.LayerNorm";
constexpr const char* kTorchLinear = "torch.nn.modules.linear.Linear";
constexpr const char* kTorchConv = "torch.nn.modules.conv.Conv2d";
constexpr const char* kChain = "torch.nn.modules.container.Sequential";
constexpr const char* kRelu = "torch.nn.modules.activation.ReLU";
constexpr const char* kOwnNet = "train.Net";

ModuleRecord part(std::string path, std::string class_path, Json attributes = Json::object(),
                  bool training = false) {
  ModuleRecord record;
  record.path = std::move(path);
  record.class_path = std::move(class_path);
  record.training = training;
  record.attributes = std::move(attributes);
  return record;
}

Checkpoint tree(std::vector<ModuleRecord> modules) {
  Checkpoint checkpoint;
  checkpoint.modules = std::move(modules);
  return checkpoint;
}

std::vector<ModuleDifference> differences(std::vector<ModuleRecord> a, std::vector<ModuleRecord> b,
                                          const NamePairs& tensors = {}, bool one_library = true) {
  return compare_modules(tree(std::move(a)), tree(std::move(b)), tensors, one_library);
}

/// Of one attribute of one module.
std::vector<ModuleDifference> of_attribute(const char* type, const char* name, Json a, Json b) {
  return differences({part("", kOwnNet), part("x", type, {{name, std::move(a)}})},
                     {part("", kOwnNet), part("x", type, {{name, std::move(b)}})});
}

AttributeEffect effect_of(const char* type, const char* name, Json a, Json b) {
  const auto found = of_attribute(type, name, std::move(a), std::move(b));
  EXPECT_THAT(found, SizeIs(1));
  return found.empty() ? AttributeEffect::nothing : found[0].effect;
}

TEST(Modules, AnAttributeOfTorchThatDiffersMovesOutputs) {
  const auto found = of_attribute(kTorchNorm, "eps", 1e-5, 0.1);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].place, "x");
  EXPECT_EQ(found[0].attribute, "eps");
  EXPECT_EQ(found[0].effect, AttributeEffect::outputs);
  EXPECT_FALSE(found[0].is_code);
}

TEST(Modules, WhatNoForwardPassReadsIsNoDifferenceOfALibrarysClass) {
  EXPECT_THAT(of_attribute(kTorchLinear, "in_features", 3, 4), IsEmpty());
}

TEST(Modules, InPlaceIsOpenWhereOwnCodeMayReadTheInputAgain) {
  const auto found = [](const char* owner, const char* type, Json attributes = Json::object()) {
    return differences(
        {part("", owner, attributes), part("x", kChain), part("x.1", type, {{"inplace", false}})},
        {part("", owner, attributes), part("x", kChain), part("x.1", type, {{"inplace", true}})});
  };
  EXPECT_THAT(found("torchvision.models.resnet.ResNet", kRelu), IsEmpty());
  EXPECT_THAT(found(kOwnNet, "torch.nn.modules.dropout.Dropout"), IsEmpty());
  ASSERT_THAT(found(kOwnNet, kRelu), SizeIs(1));
  EXPECT_EQ(found(kOwnNet, kRelu)[0].effect, AttributeEffect::unknown);
  const Json own = {{"forward", {{"$name", "train.forward"}}}};
  EXPECT_THAT(found(kChain, kRelu, own), SizeIs(1));
}

TEST(Modules, AUsersAttributeIsHarmlessByItsNameOnly) {
  EXPECT_EQ(effect_of(kOwnNet, "run_name", "a", "b"), AttributeEffect::nothing);
  EXPECT_TRUE(of_attribute(kOwnNet, "run_name", "a", "b")[0].by_name);
  for (const char* name : {"lr", "device", "batch_size"})
    EXPECT_EQ(effect_of(kOwnNet, name, 1, 2), AttributeEffect::unknown) << name;
  EXPECT_EQ(effect_of(kOwnNet, "scale", 1, 2), AttributeEffect::unknown);
}

TEST(Modules, AFieldOfSettingsIsJudgedByItsOwnName) {
  EXPECT_EQ(effect_of(kOwnNet, "settings", {{"run_name", "a"}}, {{"run_name", "b"}}),
            AttributeEffect::nothing);
  EXPECT_EQ(effect_of(kOwnNet, "experiment", {{"scale", 1}}, {{"scale", 2}}),
            AttributeEffect::unknown);
  EXPECT_EQ(effect_of(kOwnNet, "experiment", {{"tags", "a"}}, {{"tags", "b"}}),
            AttributeEffect::nothing);
}

TEST(Modules, WhatActsInTrainingMovesOutputsOfAModuleThatTrains) {
  const char* dropout = "torch.nn.modules.dropout.Dropout";
  const auto found =
      differences({part("", dropout, {{"p", 0.1}}, true)}, {part("", dropout, {{"p", 0.5}}, true)});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].effect, AttributeEffect::outputs);
  EXPECT_EQ(effect_of(dropout, "p", 0.1, 0.5), AttributeEffect::training);
}

TEST(Modules, AFunctionUnderAPrivateNameStandsForAMethod) {
  const Json function = {{"$name", "train.convolve"}};
  const auto found =
      differences({part("", kTorchConv)}, {part("", kTorchConv, {{"_conv_forward", function}})});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].effect, AttributeEffect::outputs);
  EXPECT_THAT(
      differences({part("", kTorchConv, {{"_kept", 1}})}, {part("", kTorchConv, {{"_kept", 2}})}),
      IsEmpty());
}

TEST(Modules, HooksAreComparedAsFunctions) {
  const Json hook = Json::array({{{"$name", "train.hook"}}});
  const auto found =
      differences({part("", kTorchNorm)}, {part("", kTorchNorm, {{"_forward_hooks", hook}})});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_TRUE(found[0].is_code);
}

TEST(Modules, OnePaddingHasTwoSpellings) {
  constexpr const char* kMeaning = "_reversed_padding_repeated_twice";
  const auto conv = [&](Json padding, Json meaning) {
    return part("", kTorchConv, {{"padding", std::move(padding)}, {kMeaning, std::move(meaning)}});
  };
  EXPECT_THAT(differences({conv("same", {2, 2, 1, 1})}, {conv({1, 2}, {2, 2, 1, 1})}), IsEmpty());
  EXPECT_THAT(differences({conv("same", {1, 1, 1, 1})}, {conv({0, 0}, {1, 1, 1, 1})}), SizeIs(1));
  EXPECT_THAT(differences({conv({1, 1}, {1, 1, 1, 1})}, {conv({0, 0}, {1, 1, 1, 1})}), SizeIs(1));
}

TEST(Modules, AnotherClassIsKnownToComputeOtherwiseOnlyWithinLibraries) {
  const auto known = differences({part("", "torch.nn.modules.activation.ReLU")},
                                 {part("", "torch.nn.modules.activation.Tanh")});
  ASSERT_THAT(known, SizeIs(1));
  EXPECT_EQ(known[0].effect, AttributeEffect::outputs);
  const auto own = differences({part("", kTorchNorm)}, {part("", "train.LayerNorm")});
  ASSERT_THAT(own, SizeIs(1));
  EXPECT_EQ(own[0].effect, AttributeEffect::unknown);
  EXPECT_THAT(differences({part("", "train.Net")}, {part("", "__main__.Net")}), IsEmpty());
}

TEST(Modules, AttributesOfOneNameInTwoLibrariesAreNotEachOthers) {
  const auto found = differences(
      {part("", "torchvision.models.vision_transformer.VisionTransformer", {{"patch_size", 8}})},
      {part("", "timm.models.vision_transformer.VisionTransformer", {{"global_pool", "token"}})});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].attribute, "");
  EXPECT_TRUE(found[0].is_code);
  EXPECT_THAT(differences({part("", kTorchNorm, {{"eps", 0.1}})},
                          {part("", "timm.layers.norm.LayerNorm", {{"eps", 0.2}})}),
              SizeIs(1));
}

TEST(Modules, DropoutAndIdentityAreOneInEvaluation) {
  const ModuleRecord identity = part("", "torch.nn.modules.linear.Identity");
  const char* dropout = "torch.nn.modules.dropout.Dropout";
  EXPECT_THAT(differences({part("", dropout)}, {identity}), IsEmpty());
  EXPECT_THAT(differences({part("", dropout, Json::object(), true)}, {identity}), SizeIs(1));
}

TEST(Modules, ALayerThatTheOtherSideLacksIsNamedOnce) {
  const auto found = differences({part("", kChain), part("0", kTorchLinear)},
                                 {part("", kChain), part("0", kTorchLinear),
                                  part("1", "train.Block"), part("1.norm", kTorchNorm)});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].place, "1");
  EXPECT_EQ(found[0].b, "train.Block");
}

std::vector<ModuleDifference> reordered(const char* owner) {
  const ModuleRecord norm = part("norm", kTorchNorm);
  const ModuleRecord line = part("line", kTorchLinear);
  return differences({part("", owner), norm, line}, {part("", owner), line, norm});
}

TEST(Modules, OrderCountsWhereChildrenMayRunInIt) {
  ASSERT_THAT(reordered(kChain), SizeIs(1));
  EXPECT_EQ(reordered(kChain)[0].effect, AttributeEffect::outputs);
  for (const char* owner : {kOwnNet, "torch.nn.modules.container.ModuleDict"}) {
    ASSERT_THAT(reordered(owner), SizeIs(1)) << owner;
    EXPECT_EQ(reordered(owner)[0].effect, AttributeEffect::unknown);
  }
  EXPECT_THAT(reordered("torch.nn.modules.transformer.TransformerEncoderLayer"), IsEmpty());
}

TEST(Modules, OtherVersionsOfALibraryBuildTheirClassesOtherwise) {
  const ModuleRecord a = part("", "transformers.models.bert.modeling_bert.BertA");
  const ModuleRecord b = part("", "transformers.models.bert.modeling_bert.BertB");
  EXPECT_THAT(differences({a}, {b}, {}, false), IsEmpty());
  EXPECT_THAT(differences({a}, {b}, {}, true), SizeIs(1));
  const auto act = [](const char* name) {
    return std::vector{part("", std::string("transformers.activations.") + name)};
  };
  EXPECT_THAT(differences(act("GELUActivation"), act("NewGELUActivation"), {}, false), SizeIs(1));
  EXPECT_THAT(differences(act("PytorchGELUTanh"), act("GELUTanh"), {}, false), IsEmpty());
}

TEST(Modules, ABufferThatOneSideHasAloneIsOpen) {
  ModuleRecord a = part("", kOwnNet);
  ModuleRecord b = a;
  a.transient_buffers = {"mask"};
  ASSERT_THAT(differences({a}, {b}), SizeIs(1));
  EXPECT_EQ(differences({a}, {b})[0].attribute, "mask");
  EXPECT_EQ(differences({b}, {a})[0].effect, AttributeEffect::unknown);
  b.buffers = {"mask"};
  EXPECT_THAT(differences({a}, {b}), IsEmpty());
}

TEST(Modules, AttentionByAnotherKernelIsOneFunction) {
  const auto attention = [](const char* name) {
    return std::vector{part("", std::string("transformers.models.bert.modeling_bert.") + name)};
  };
  EXPECT_THAT(differences(attention("BertSelfAttention"), attention("BertSdpaSelfAttention")),
              IsEmpty());
  EXPECT_THAT(differences(attention("MAttention"), attention("MFlashAttention2")), IsEmpty());
  EXPECT_THAT(differences(attention("BertSelfAttention"), attention("BertSelfOutput")), SizeIs(1));
  EXPECT_THAT(
      differences(attention("DistilBertSdpaAttention"), attention("MultiHeadSelfAttention")),
      IsEmpty());
}

TEST(Modules, AttributesThatCameWithAVersionMeanWhatWasSoBefore) {
  const char* layer = "torch.nn.modules.transformer.TransformerEncoderLayer";
  EXPECT_THAT(differences({part("", layer)}, {part("", layer, {{"norm_first", false}})}),
              IsEmpty());
  EXPECT_THAT(differences({part("", layer)}, {part("", layer, {{"norm_first", true}})}), SizeIs(1));
}

TEST(ModulePairs, FollowTensorsThenPlacesThenClasses) {
  const std::vector<ModuleRecord> a{part("", kOwnNet), part("old", kTorchLinear),
                                    part("act", "torch.nn.modules.activation.ReLU"),
                                    part("last", kTorchNorm)};
  const std::vector<ModuleRecord> b{part("", kOwnNet), part("final", kTorchNorm),
                                    part("new", kTorchLinear),
                                    part("act", "torch.nn.modules.activation.GELU")};
  const ModulePairs pairs = pair_modules(a, b, {{"old.weight", "new.weight"}});
  EXPECT_THAT(pairs.of_a, ElementsAre(0U, 2U, 3U, 1U));
  EXPECT_THAT(pairs.of_b, ElementsAre(0U, 3U, 1U, 2U));
}

TEST(ModulePairs, AWrapperHasNoPartner) {
  const std::vector<ModuleRecord> a{part("", kTorchLinear)};
  const std::vector<ModuleRecord> b{part("", kOwnNet), part("model", kTorchLinear)};
  EXPECT_THAT(pair_modules(a, b, {{"weight", "model.weight"}}).of_a, ElementsAre(1U));
}

}  // namespace
}  // namespace samebits
