#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "samebits/compare/config.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

ModuleRecord module(std::string path, std::string class_path, bool training = true,
                    Json hyper = Json::object()) {
  ModuleRecord record;
  record.path = std::move(path);
  record.class_path = std::move(class_path);
  record.training = training;
  record.hyper = std::move(hyper);
  return record;
}

ModeEffect effect(const char* class_path, Json hyper = Json::object()) {
  return mode_effect(module("m", class_path, true, std::move(hyper)));
}

constexpr const char* kLinear = "torch.nn.modules.linear.Linear";
constexpr const char* kDropout = "torch.nn.modules.dropout.Dropout";
constexpr const char* kBatchNorm = "torch.nn.modules.batchnorm.BatchNorm2d";

TEST(ModeEffect, DropoutIsRandomWithAProbability) {
  EXPECT_EQ(effect(kDropout, {{"p", 0.1}}), ModeEffect::random);
  EXPECT_EQ(effect(kDropout, {{"p", 0.0}}), ModeEffect::none);
  EXPECT_EQ(effect("torch.nn.modules.dropout.AlphaDropout", {{"p", 1}}), ModeEffect::random);
}

TEST(ModeEffect, DropPathIsRandomWithAProbability) {
  const char* drop_path = "transformers.models.dinov2.modeling_dinov2.Dinov2DropPath";
  EXPECT_EQ(effect(drop_path, {{"drop_prob", 0.2}}), ModeEffect::random);
  EXPECT_EQ(effect(drop_path, {{"drop_prob", nullptr}}), ModeEffect::none);
  EXPECT_EQ(effect("timm.layers.drop.DropPath", {{"drop_prob", 0.1}}), ModeEffect::random);
  EXPECT_EQ(effect("torchvision.ops.stochastic_depth.StochasticDepth", {{"p", 0.1}}),
            ModeEffect::random);
}

TEST(ModeEffect, AttentionIsRandomWithAProbabilityAsAttribute) {
  const char* attention = "transformers.models.vit.modeling_vit.ViTAttention";
  EXPECT_EQ(effect(attention, {{"attention_dropout", 0.1}}), ModeEffect::random);
  EXPECT_EQ(effect(attention, {{"attention_dropout", 0.0}, {"scaling", 0.125}}), ModeEffect::none);
  EXPECT_EQ(
      effect("transformers.models.vit.modeling_vit.ViTSelfAttention", {{"dropout_prob", 0.1}}),
      ModeEffect::random);
}

TEST(ModeEffect, BatchNormUsesStatisticsUnlessItTracksNone) {
  EXPECT_EQ(effect(kBatchNorm, {{"track_running_stats", true}}), ModeEffect::statistics);
  EXPECT_EQ(effect(kBatchNorm), ModeEffect::statistics);
  EXPECT_EQ(effect(kBatchNorm, {{"track_running_stats", false}}), ModeEffect::none);
  EXPECT_EQ(effect("torch.nn.modules.batchnorm.SyncBatchNorm"), ModeEffect::statistics);
  EXPECT_EQ(
      effect("torch.nn.modules.instancenorm.InstanceNorm2d", {{"track_running_stats", false}}),
      ModeEffect::none);
}

TEST(ModeEffect, RecurrentDropoutNeedsTwoLayers) {
  const char* lstm = "torch.nn.modules.rnn.LSTM";
  EXPECT_EQ(effect(lstm, {{"dropout", 0.5}, {"num_layers", 2}}), ModeEffect::random);
  EXPECT_EQ(effect(lstm, {{"dropout", 0.5}, {"num_layers", 1}}), ModeEffect::none);
}

TEST(ModeEffect, RandomSlopeIsRandomUnlessThereIsOne) {
  const char* rrelu = "torch.nn.modules.activation.RReLU";
  EXPECT_EQ(effect(rrelu, {{"lower", 0.125}, {"upper", 0.333}}), ModeEffect::random);
  EXPECT_EQ(effect(rrelu, {{"lower", 0.2}, {"upper", 0.2}}), ModeEffect::none);
}

TEST(ModeEffect, FastPathOfEvaluationIsNotKnownToBeEqual) {
  const char* attention = "torch.nn.modules.activation.MultiheadAttention";
  EXPECT_EQ(effect(attention, {{"dropout", 0.1}}), ModeEffect::random);
  EXPECT_EQ(effect(attention, {{"dropout", 0.0}}), ModeEffect::unknown);
  EXPECT_EQ(effect("torch.nn.modules.transformer.TransformerEncoderLayer"), ModeEffect::unknown);
}

TEST(ModeEffect, ClassesThatIgnoreTheFlagHaveNone) {
  for (const char* name :
       {kLinear, "torch.nn.modules.container.ModuleList",
        "torch.nn.modules.normalization.LayerNorm", "torch.nn.modules.activation.GELU",
        "torch.nn.modules.sparse.Embedding", "transformers.activations.GELUActivation",
        "transformers.models.vit_mae.modeling_vit_mae.ViTMAEForPreTraining",
        "torchvision.models.vision_transformer.EncoderBlock", "models_mae.MaskedAutoencoderViT"})
    EXPECT_EQ(effect(name), ModeEffect::none) << name;
}

TEST(ModeEffect, CodeOfOthersIsUnknown) {
  EXPECT_EQ(effect("__main__.TransformerModel", {{"p", 0.0}}), ModeEffect::unknown);
  EXPECT_EQ(effect("transformers.models.bert.modeling_bert.BertLayer"), ModeEffect::unknown);
}

std::vector<std::string> compared_paths(const std::vector<ModuleRecord>& a,
                                        const std::vector<ModuleRecord>& b) {
  std::vector<std::string> result;
  for (const ModeDifference& difference : compare_modes(a, b)) {
    EXPECT_NE(difference.training_a, difference.training_b);
    result.push_back(difference.module +
                     (difference.effect == ModeEffect::random ? ":random" : ""));
  }
  return result;
}

TEST(CompareModes, ListsModulesWhoseFlagDiffers) {
  EXPECT_THAT(
      compared_paths({module("", "a.Net", true), module("drop", kDropout, true, {{"p", 0.5}}),
                      module("fc", kLinear, false)},
                     {module("", "a.Net", true), module("drop", kDropout, false, {{"p", 0.5}}),
                      module("fc", kLinear, false)}),
      ElementsAre("drop:random"));
}

TEST(CompareModes, EffectIsThatOfTheSideInTraining) {
  EXPECT_THAT(compared_paths({module("drop", kDropout, false, {{"p", 0.0}})},
                             {module("drop", kDropout, true, {{"p", 0.5}})}),
              ElementsAre("drop:random"));
}

TEST(CompareModes, WrapperOnOneSideIsAPrefix) {
  const std::vector<ModuleRecord> bare = {module("", "a.Net", true), module("x", kLinear, true),
                                          module("y", kLinear, false)};
  const std::vector<ModuleRecord> wrapped = {
      module("", "__main__.Wrapper", true), module("model", "a.Net", false),
      module("model.x", kLinear, false), module("model.y", kLinear, false)};
  EXPECT_THAT(compared_paths(bare, wrapped), ElementsAre("", "x"));
  EXPECT_THAT(compared_paths(wrapped, bare), ElementsAre("model", "model.x"));
}

TEST(CompareModes, BothSidesMayHaveAWrapper) {
  EXPECT_THAT(
      compared_paths({module("", "a.One", true), module("net", "a.Net", false),
                      module("net.x", kLinear, true), module("net.y", kLinear, false)},
                     {module("", "b.Two", false), module("inner", "a.Net", false),
                      module("inner.x", kLinear, false), module("inner.y", kLinear, false)}),
      ElementsAre("net.x"));
}

TEST(CompareModes, OtherNamesAreAlignedByClassAndOrder) {
  EXPECT_THAT(compared_paths({module("", "a.Net", false), module("encoder.0", kLinear, false),
                              module("encoder.1", kLinear, true)},
                             {module("", "a.Net", false), module("layers.0", kLinear, false),
                              module("layers.1", kLinear, false)}),
              ElementsAre("encoder.1"));
}

TEST(CompareModes, UnequalNumbersAreAlignedWhereEachSideHasOneMode) {
  const std::vector<ModuleRecord> two = {module("a", kDropout, true, {{"p", 0.1}}),
                                         module("b", kDropout, true, {{"p", 0.1}})};
  EXPECT_THAT(compared_paths(two, {module("c", kDropout, false)}), ElementsAre("a:random"));
  EXPECT_THAT(
      compared_paths({two[0], module("b", kDropout, false)}, {module("c", kDropout, false)}),
      IsEmpty());
}

TEST(CompareModes, ModulesOfOneSideOnlyAreLeftOut) {
  EXPECT_THAT(compared_paths({module("fc", kLinear, true)}, {module("bn", kBatchNorm, false)}),
              IsEmpty());
  EXPECT_THAT(compared_paths({module("fc", kLinear, true)}, {}), IsEmpty());
}

}  // namespace
}  // namespace samebits
