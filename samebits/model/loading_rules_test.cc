#include "samebits/model/loading_rules.h"

#include <gmock/gmock.h>

#include "samebits/family/name_table.h"

namespace samebits::model {
namespace {

using testing::ElementsAre;

const ModelClass& hf(std::string_view name) { return *find_class(Library::transformers5, name); }

ReadName read_knowing(const char* class_name, std::string_view name, const std::string& known) {
  return read_name_5(hf(class_name), name, [&](const std::string& text) { return text == known; });
}

TEST(Rewrite, DotIsAnyCharacterUnlessEscaped) {
  EXPECT_EQ(rewrite("attention.query", "q_proj", "x.attention_query.weight"), "x.q_proj.weight");
  EXPECT_EQ(rewrite(R"(encoder\.layer\.)", "layers.", "encoder_layer_0"), std::nullopt);
  EXPECT_EQ(rewrite("a.b", "c", "a\nb"), std::nullopt);
}

TEST(Rewrite, PatternEndsAtTheEndOfAWord) {
  EXPECT_EQ(rewrite("output.dense", "fc2", "output.dense_2.bias"), std::nullopt);
  EXPECT_EQ(rewrite("output.dense", "fc2", "output.dense"), "fc2");
}

TEST(Rewrite, FirstOccurrenceOfTheMatchedTextIsReplaced) {
  // The match is the second "a.b"; Python's str.replace then takes the first.
  EXPECT_EQ(rewrite("a.b", "c", "a.bx.a.b"), "cx.a.b");
}

TEST(Rewrite, CaretAnchors) {
  EXPECT_EQ(rewrite("^model", "m", "model.x"), "m.x");
  EXPECT_EQ(rewrite("^model", "m", "a.model.x"), std::nullopt);
}

TEST(Rewrite, NamesShorterThanThePatternDoNotMatch) {
  EXPECT_EQ(rewrite("abc", "x", "ab"), std::nullopt);
  EXPECT_EQ(rewrite("abc", "x", ""), std::nullopt);
}

TEST(ReadName5, RenamesWhatFourWrote) {
  EXPECT_THAT(read_knowing("ViTModel", "encoder.layer.3.attention.output.dense.bias", "").front(),
              "layers.3.attention.o_proj.bias");
  EXPECT_THAT(read_knowing("ViTModel", "encoder.layer.3.output.dense.bias", "").front(),
              "layers.3.mlp.fc2.bias");
}

TEST(ReadName5, CutsTheGatedMlpInHalves) {
  EXPECT_THAT(
      read_knowing("Dinov2Model", "encoder.layer.0.mlp.weights_in.bias", ""),
      ElementsAre("encoder.layer.0.mlp.gate_proj.bias", "encoder.layer.0.mlp.up_proj.bias"));
}

TEST(ReadName5, AddsAndTakesAwayTheBasePrefix) {
  EXPECT_THAT(read_knowing("ViTForImageClassification", "layernorm.bias", "vit.layernorm.bias"),
              ElementsAre("vit.layernorm.bias"));
  EXPECT_THAT(read_knowing("ViTModel", "vit.layernorm.bias", "layernorm.bias"),
              ElementsAre("layernorm.bias"));
}

TEST(ReadName5, AnyCharacterMayStandBehindTheBasePrefix) {
  EXPECT_THAT(read_knowing("ViTModel", "vit_layernorm.bias", "layernorm.bias"),
              ElementsAre("layernorm.bias"));
}

TEST(ReadName5, RenamesOldLayerNorms) {
  EXPECT_THAT(read_knowing("ViTModel", "LayerNorm.gamma", ""), ElementsAre("LayerNorm.weight"));
}

TEST(SavedName5, MaeDecoderGetsANameOfItsOwn) {
  EXPECT_EQ(
      saved_name_5(hf("ViTMAEForPreTraining"), "decoder.decoder_layers.7.attention.q_proj.weight"),
      "decoder.decoder_encoder.layer.7.attention.attention.query.weight");
  EXPECT_EQ(saved_name_5(hf("ViTMAEForPreTraining"), "vit.layers.0.mlp.fc2.weight"),
            "vit.encoder.layer.0.output.dense.weight");
}

TEST(SavedName5, EveryOtherClassIsSavedAsFourKnowsIt) {
  for (const ModelClass& model_class : classes()) {
    if (!has_class(Library::transformers5, model_class)) continue;
    if (model_class.name == "ViTMAEForPreTraining") continue;
    Fields fields;
    fields.layers = 2;
    fields.parts = ~0u;
    const Fields fitted = fit(fields, model_class);
    const auto four = *tensors_of(Library::transformers4, model_class, fitted);
    const auto known = [&](const std::string& name) {
      for (const TensorSpec& spec : four)
        if (spec.name == name) return true;
      return false;
    };
    const auto five = *tensors_of(Library::transformers5, model_class, fitted);
    for (const TensorSpec& spec : five)
      EXPECT_TRUE(known(saved_name_5(model_class, spec.name))) << model_class.name << spec.name;
  }
}

TEST(ModernName4, OnlyOldEndingsChange) {
  EXPECT_EQ(modern_name_4("a.LayerNorm.beta"), "a.LayerNorm.bias");
  EXPECT_EQ(modern_name_4("a.conv.weight_g"), "a.conv.parametrizations.weight.original0");
  EXPECT_EQ(modern_name_4("a.norm.gamma"), "a.norm.gamma");
}

}  // namespace
}  // namespace samebits::model
