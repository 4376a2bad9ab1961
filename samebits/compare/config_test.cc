#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "samebits/compare/config.h"
#include "samebits/family/config_fields.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Differences = std::vector<FieldDifference>;

Differences compare(const char* a, const char* b, const std::string& model_type = "") {
  return compare_configs(Json::parse(a), Json::parse(b), model_type);
}

std::vector<std::string> names(const Differences& differences) {
  std::vector<std::string> result;
  for (const FieldDifference& difference : differences)
    result.push_back(difference.field + ":" + field_effect_name(difference.effect));
  return result;
}

TEST(CompareConfigs, AbsentFieldIsItsModelsDefault) {
  EXPECT_THAT(compare(R"({"model_type": "vit_mae"})",
                      R"({"model_type": "vit_mae", "mask_ratio": 0.75, "layer_norm_eps": 1e-12})"),
              IsEmpty());
  EXPECT_THAT(names(compare("{}", R"({"layer_norm_eps": 1e-12})", "dinov2")),
              ElementsAre("layer_norm_eps:outputs"));
}

TEST(CompareConfigs, APartThatNamesItsTypeIsAConfig) {
  EXPECT_THAT(compare(R"({"decoder": {"model_type": "vit"}})",
                      R"({"decoder": {"model_type": "vit", "layer_norm_eps": 1e-12,
                                      "id2label": {"0": "LABEL_0", "1": "LABEL_1"}}})"),
              IsEmpty());
}

TEST(CompareConfigs, DifferenceFromADefaultSaysWhatAbsentMeans) {
  const Differences found = compare(R"({"mask_ratio": 0.5})", "{}", "vit_mae");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].a, 0.5);
  EXPECT_TRUE(found[0].b.is_null());
  EXPECT_FALSE(found[0].missing_a);
  EXPECT_TRUE(found[0].missing_b);
  EXPECT_EQ(found[0].effect, FieldEffect::outputs);
  EXPECT_EQ(found[0].why, "the number of visible tokens changes; absent means 0.75");
}

TEST(CompareConfigs, SavedConfigEqualsItsAttributes) {
  EXPECT_THAT(compare(R"({"architectures": ["ViTModel"], "dtype": "float32", "model_type": "vit",
                          "hidden_size": 32, "pooler_output_size": 32,
                          "transformers_version": "5.24.0"})",
                      R"({"model_type": "vit", "transformers_version": null, "architectures": null,
                          "output_hidden_states": false, "return_dict": true, "dtype": null,
                          "id2label": {"0": "LABEL_0", "1": "LABEL_1"},
                          "label2id": {"LABEL_0": 0, "LABEL_1": 1}, "hidden_size": 32,
                          "pooler_output_size": 32, "_attn_implementation_internal": "sdpa",
                          "_name_or_path": ""})"),
              IsEmpty());
}

TEST(CompareConfigs, TorchDtypeAndDtypeAreOneField) {
  EXPECT_THAT(compare(R"({"torch_dtype": "float32"})", R"({"dtype": "torch.float32"})"), IsEmpty());
  EXPECT_THAT(names(compare(R"({"torch_dtype": "float16"})", R"({"dtype": "float32"})")),
              ElementsAre("dtype:numerics"));
}

TEST(CompareConfigs, AbsentDtypeIsFloat32InAFileAndUnknownInAttributes) {
  EXPECT_THAT(compare(R"({"dtype": "float32"})", "{}"), IsEmpty());
  EXPECT_THAT(names(compare("{}", R"({"dtype": "bfloat16"})")), ElementsAre("dtype:numerics"));
  EXPECT_THAT(compare(R"({"return_dict": true, "output_hidden_states": false})",
                      R"({"dtype": "bfloat16"})"),
              IsEmpty());
}

TEST(CompareConfigs, AttentionKernelCountsWhereBothStateIt) {
  const char* sdpa = R"({"_attn_implementation_internal": "sdpa"})";
  EXPECT_THAT(compare(sdpa, "{}"), IsEmpty());
  EXPECT_THAT(names(compare(sdpa, R"({"_attn_implementation": "eager"})")),
              ElementsAre("attn_implementation:numerics"));
}

TEST(CompareConfigs, LabelsThatTheLibraryMakesUpAreNone) {
  EXPECT_THAT(compare(R"({"num_labels": 3})",
                      R"({"id2label": {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}})"),
              IsEmpty());
}

TEST(CompareConfigs, NamesOfLabelsAreNothingAndTheirNumberIsOutputs) {
  EXPECT_THAT(names(compare(R"({"id2label": {"0": "cat", "1": "dog"}})",
                            R"({"id2label": {"1": "fox", "0": "cat"}})")),
              ElementsAre("id2label:labels"));
  EXPECT_THAT(names(compare("{}", R"({"id2label": {"0": "cat"}})")),
              ElementsAre("num_labels:outputs", "id2label:nothing"));
  EXPECT_THAT(names(compare(R"({"architectures": ["ViTModel"]})",
                            R"({"architectures": ["ViTModel"], "num_labels": 5})")),
              ElementsAre("num_labels:nothing"));
}

TEST(CompareConfigs, ManyLabelsAreShownAsTheirNumber) {
  Json many = {{"num_labels", 100}, {"id2label", Json::object()}};
  for (int i = 0; i < 100; ++i) many["id2label"][std::to_string(i)] = "class " + std::to_string(i);
  const Differences found = compare_configs(many, {{"num_labels", 100}}, "");
  ASSERT_THAT(names(found), ElementsAre("id2label:nothing"));
  EXPECT_EQ(found[0].a, "100 entries");
}

TEST(CompareConfigs, AFieldIsOneUnderTheNameOfItsClassAndTheUsualOne) {
  EXPECT_THAT(compare(R"({"model_type": "gpt2", "n_head": 12})",
                      R"({"model_type": "gpt2", "num_attention_heads": 12})"),
              IsEmpty());
  EXPECT_THAT(names(compare(R"({"model_type": "gpt2", "n_head": 12})",
                            R"({"model_type": "gpt2", "num_attention_heads": 6})")),
              ElementsAre("n_head:outputs"));
  // The class sets the usual name last.
  EXPECT_THAT(compare(R"({"model_type": "gpt2", "n_head": 12, "num_attention_heads": 6})",
                      R"({"model_type": "gpt2", "n_head": 6})"),
              IsEmpty());
  EXPECT_EQ(compare(R"({"model_type": "bert", "n_head": 12})",
                    R"({"model_type": "bert", "num_attention_heads": 12})")
                .size(),
            2u);
}

TEST(CompareConfigs, TheUsualNameSaysWhatAFieldOfTheClassDoes) {
  EXPECT_THAT(names(compare(R"({"model_type": "xglm", "attention_heads": 4})",
                            R"({"model_type": "xglm", "attention_heads": 8})")),
              ElementsAre("attention_heads:outputs"));
  EXPECT_THAT(names(compare(R"({"model_type": "bert", "attention_heads": 4})",
                            R"({"model_type": "bert", "attention_heads": 8})")),
              ElementsAre("attention_heads:unknown"));
}

TEST(CompareConfigs, NullIsNotTheDefaultOfTheClass) {
  const char* capped = R"({"model_type": "gemma2"})";
  EXPECT_THAT(compare(capped, R"({"model_type": "gemma2", "final_logit_softcapping": 30.0})"),
              IsEmpty());
  EXPECT_THAT(
      names(compare(capped, R"({"model_type": "gemma2", "final_logit_softcapping": null})")),
      ElementsAre("final_logit_softcapping:outputs"));
}

TEST(CompareConfigs, AnAbsentFieldMayFollowFromAnother) {
  EXPECT_THAT(compare(R"({"model_type": "llama", "num_attention_heads": 32})",
                      R"({"model_type": "llama", "num_attention_heads": 32,
                          "num_key_value_heads": 32, "rms_norm_eps": 1e-6})"),
              IsEmpty());
  EXPECT_THAT(names(compare(R"({"model_type": "gpt2", "n_embd": 8})",
                            R"({"model_type": "gpt2", "n_embd": 8, "n_inner": 16})")),
              ElementsAre("n_inner:outputs"));
}

TEST(CompareConfigs, AWindowThatIsOffSaysNothing) {
  EXPECT_THAT(names(compare(R"({"model_type": "qwen2", "sliding_window": 4096})",
                            R"({"model_type": "qwen2", "sliding_window": 32768})")),
              ElementsAre("sliding_window:nothing"));
  EXPECT_THAT(
      names(compare(
          R"({"model_type": "qwen2", "sliding_window": 4096, "use_sliding_window": true})",
          R"({"model_type": "qwen2", "sliding_window": 32768, "use_sliding_window": true})")),
      ElementsAre("sliding_window:outputs"));
  EXPECT_THAT(names(compare(
                  R"({"model_type": "qwen3", "sliding_window": 4, "use_sliding_window": true,
              "max_window_layers": 1, "layer_types": ["full_attention", "full_attention"]})",
                  R"({"model_type": "qwen3", "sliding_window": 8, "use_sliding_window": true,
              "max_window_layers": 2, "layer_types": ["full_attention", "full_attention"]})")),
              ElementsAre("max_window_layers:nothing", "sliding_window:nothing"));
}

TEST(CompareConfigs, CodeBesideTheWeightsMayReadWhatAClassDoesNot) {
  EXPECT_THAT(names(compare(R"({"model_type": "mpt", "logit_scale": 1, "auto_map": {}})",
                            R"({"model_type": "mpt", "logit_scale": 2, "auto_map": {}})")),
              ElementsAre("logit_scale:unknown"));
  EXPECT_THAT(names(compare(R"({"model_type": "mpt", "logit_scale": 1})",
                            R"({"model_type": "mpt", "logit_scale": 2})")),
              ElementsAre("logit_scale:nothing"));
}

TEST(CompareConfigs, AnActivationIsOneUnderTwoNamesInEveryField) {
  EXPECT_THAT(names(compare(R"({"model_type": "gpt2", "activation_function": "silu"})",
                            R"({"model_type": "gpt2", "activation_function": "swish"})")),
              ElementsAre("activation_function:nothing"));
  EXPECT_THAT(names(compare(R"({"model_type": "gemma", "hidden_act": "gelu"})",
                            R"({"model_type": "gemma"})")),
              ElementsAre("hidden_act:version"));
}

TEST(CompareConfigs, NumbersCompareAsNumbers) {
  EXPECT_THAT(compare(R"({"mlp_ratio": 4, "hidden_dropout_prob": 0})",
                      R"({"mlp_ratio": 4.0, "hidden_dropout_prob": 0.0})"),
              IsEmpty());
}

TEST(CompareConfigs, SquareSizesAreOneNumber) {
  EXPECT_THAT(compare(R"({"image_size": [224, 224]})", R"({"image_size": 224})"), IsEmpty());
  EXPECT_THAT(names(compare(R"({"image_size": [224, 196]})", R"({"image_size": 224})")),
              ElementsAre("image_size:outputs"));
}

TEST(CompareConfigs, PoolerIsAsWideAsTheModelUnlessStated) {
  EXPECT_THAT(
      compare(R"({"hidden_size": 32})", R"({"hidden_size": 32, "pooler_output_size": 32})", "vit"),
      IsEmpty());
  EXPECT_THAT(names(compare(R"({"hidden_size": 32})",
                            R"({"hidden_size": 32, "pooler_output_size": 20})", "vit")),
              ElementsAre("pooler_output_size:outputs"));
}

TEST(CompareConfigs, BackboneFeaturesAreIndicesOrNames) {
  EXPECT_THAT(compare(R"({"num_hidden_layers": 3, "out_indices": [0, -1]})",
                      R"({"num_hidden_layers": 3, "_out_features": ["stem", "stage3"]})", "dinov2"),
              IsEmpty());
  EXPECT_THAT(compare(R"({"num_hidden_layers": 3, "out_features": ["stage3"], "out_indices": [3]})",
                      R"({"num_hidden_layers": 3})", "dinov2"),
              IsEmpty());
  EXPECT_THAT(names(compare(R"({"out_indices": [2]})", "{}", "dinov2")),
              ElementsAre("out_features:outputs"));
}

TEST(CompareConfigs, NestedFieldsHaveDottedNames) {
  EXPECT_THAT(names(compare(R"({"quantization_config": {"bits": 4, "group": 64}})",
                            R"({"quantization_config": {"group": 64, "bits": 8}})")),
              ElementsAre("quantization_config.bits:outputs"));
}

TEST(CompareConfigs, UnknownFieldIsUnknown) {
  EXPECT_THAT(names(compare(R"({"my_field": 1})", "{}")), ElementsAre("my_field:unknown"));
  EXPECT_THAT(compare(R"({"my_field": null})", "{}"), IsEmpty());
}

TEST(CompareConfigs, OutputsComeFirst) {
  EXPECT_THAT(names(compare(
                  R"({"a": 1, "initializer_range": 1, "mask_ratio": 1, "hidden_act": "x"})", "{}")),
              ElementsAre("hidden_act:outputs", "mask_ratio:outputs", "a:unknown",
                          "initializer_range:training"));
}

TEST(CompareConfigs, TextFieldsAreNothingInTheFamilyAlone) {
  const char* decoder = R"({"is_decoder": true})";
  EXPECT_THAT(names(compare(decoder, "{}", "vit")), ElementsAre("is_decoder:nothing"));
  EXPECT_THAT(names(compare(decoder, "{}", "bert")), ElementsAre("is_decoder:outputs"));
}

TEST(CompareConfigs, OtherModelTypesDiffer) {
  EXPECT_THAT(names(compare(R"({"model_type": "vit"})", R"({"model_type": "deit"})")),
              ElementsAre("model_type:outputs"));
}

TEST(CompareConfigs, AnythingButAnObjectHasNoFields) {
  EXPECT_THAT(compare("[1]", "null"), IsEmpty());
}

TEST(CompareConfigs, DepthBeyondTheLimitIsADifference) {
  std::string deep = R"({"deep": )";
  for (int i = 0; i < 400; ++i) deep += "[";
  for (int i = 0; i < 400; ++i) deep += "]";
  deep += "}";
  EXPECT_THAT(names(compare(deep.c_str(), deep.c_str())), ElementsAre("deep:unknown"));
}

/// What the difference of one field means for classes of the family.
std::string effect(const std::string& field, const char* values, const std::string& classes_a,
                   const std::string& classes_b, const std::string& model_type = "vit") {
  const auto config = [&](const std::string& classes, const Json& value) {
    Json made = {{"model_type", model_type}, {field, value}};
    if (!classes.empty()) made["architectures"] = Json::array({classes});
    return made;
  };
  const Json both = Json::parse(values);
  for (const FieldDifference& found :
       compare_configs(config(classes_a, both[0]), config(classes_b, both[1]), model_type)) {
    if (found.field == field) return field_effect_name(found.effect);
  }
  return "";
}

TEST(CompareConfigs, AFieldThatNeitherClassReadsIsNothing) {
  const struct {
    const char *field, *values, *reader, *other, *model_type;
  } cases[] = {
      {"pooler_act", R"(["tanh", "relu"])", "ViTModel", "ViTForImageClassification", "vit"},
      {"pooler_act", R"(["tanh", "relu"])", "DeiTModel", "DeiTForImageClassification", "deit"},
      {"pooler_output_size", "[8, 16]", "ViTModel", "ViTForImageClassification", "vit"},
      {"encoder_stride", "[16, 8]", "ViTForMaskedImageModeling", "ViTModel", "vit"},
      {"apply_layernorm", "[true, false]", "Dinov2Backbone", "Dinov2Model", "dinov2"},
      {"reshape_hidden_states", "[true, false]", "Dinov2Backbone", "Dinov2Model", "dinov2"},
  };
  for (const auto& [field, values, reader, other, type] : cases) {
    EXPECT_EQ(effect(field, values, other, other, type), "nothing") << field;
    EXPECT_EQ(effect(field, values, reader, other, type), "outputs") << field;
    EXPECT_EQ(effect(field, values, other, reader, type), "outputs") << field;
    EXPECT_EQ(effect(field, values, other, "", type), "outputs") << field;  // it may be any
  }
  EXPECT_EQ(
      effect("hidden_size", "[8, 16]", "ViTForImageClassification", "ViTForImageClassification"),
      "outputs");
}

TEST(CompareConfigs, NamesOfOneActivationAreNoOtherFunction) {
  const auto activation = [](const char* names) { return effect("hidden_act", names, "", ""); };
  EXPECT_EQ(activation(R"(["silu", "swish"])"), "nothing");
  EXPECT_EQ(activation(R"(["gelu", "gelu_python"])"), "numerics");
  EXPECT_EQ(activation(R"(["gelu_new", "gelu_pytorch_tanh"])"), "numerics");
  EXPECT_EQ(activation(R"(["gelu", "gelu_new"])"), "outputs");
  EXPECT_EQ(activation(R"(["silu", "gelu"])"), "outputs");
  EXPECT_EQ(activation(R"(["mish", "quick_gelu"])"), "outputs");
}

TEST(CompareConfigs, TheNumberOfLabelsCountsWhereEitherClassifies) {
  const char* values = R"([{"0": "a"}, {"0": "a", "1": "b", "2": "c"}])";
  const auto count = [&](const std::string& a, const std::string& b) {
    const Json both = Json::parse(values);
    Json left = {{"model_type", "vit"}, {"id2label", both[0]}, {"architectures", {a}}};
    Json right = {{"model_type", "vit"}, {"id2label", both[1]}, {"architectures", {b}}};
    if (a.empty()) left.erase("architectures");
    if (b.empty()) right.erase("architectures");
    for (const FieldDifference& found : compare_configs(left, right, "vit")) {
      if (found.field == "num_labels") return std::string(field_effect_name(found.effect));
    }
    return std::string();
  };
  EXPECT_EQ(count("ViTModel", "ViTModel"), "nothing");
  EXPECT_EQ(count("ViTForImageClassification", "ViTModel"), "outputs");
  EXPECT_EQ(count("ViTModel", "ViTForImageClassification"), "outputs");
  EXPECT_EQ(count("", "ViTModel"), "outputs");
  EXPECT_EQ(count("ViTModel", ""), "outputs");
}

TEST(CompareConfigs, OneDtypeAloneIsComparedWhereThatSaysSomething) {
  const char* attributes = R"({"output_hidden_states": false, "return_dict": true})";
  EXPECT_THAT(names(compare(R"({"dtype": "float16"})", "{}")), ElementsAre("dtype:numerics"));
  EXPECT_THAT(names(compare("{}", R"({"dtype": "float16"})")), ElementsAre("dtype:numerics"));
  EXPECT_THAT(compare(R"({"dtype": "float16"})", attributes), IsEmpty());
  EXPECT_THAT(compare(attributes, R"({"dtype": "float16"})"), IsEmpty());
  // A config.json that happens to state one of the two.
  EXPECT_THAT(names(compare(R"({"dtype": "float16"})", R"({"return_dict": true})")),
              testing::Contains("dtype:numerics"));
}

// transformers 4.57.6 on the left, 5.24.0 on the right.
TEST(CompareConfigs, SpellingsOfTwoVersionsAreOne) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"model_type": "llama", "rope_theta": 10000.0, "rope_scaling": null})",
       R"({"model_type": "llama",
           "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}})"},
      {R"({"model_type": "gpt_neox", "rotary_pct": 0.25, "rotary_emb_base": 10000})",
       R"({"model_type": "gpt_neox", "rope_parameters": {
           "partial_rotary_factor": 0.25, "rope_theta": 10000, "rope_type": "default"}})"},
      {R"({"model_type": "llama", "rope_scaling": {"type": "linear", "factor": 2.0}})",
       R"({"model_type": "llama", "rope_parameters": {
           "rope_theta": 10000.0, "rope_type": "linear", "factor": 2.0}})"},
      {R"({"model_type": "llama", "rope_scaling": {"type": "linear", "rope_type": "linear",
           "factor": 2.0}})",
       R"({"model_type": "llama", "rope_parameters": {"rope_theta": 10000.0, "type": "linear",
           "rope_type": "linear", "factor": 2.0}})"},
      {R"({"model_type": "llama", "rope_scaling": {"type": "linear", "factor": 2.0}})",
       R"({"model_type": "llama", "rope_scaling": {"rope_type": "linear", "factor": 2.0}})"},
      {R"({"model_type": "qwen2_vl", "rope_theta": 1.0, "rope_scaling": {"type": "mrope"}})",
       R"({"model_type": "qwen2_vl", "rope_parameters": {"rope_theta": 1.0, "type": "mrope",
           "rope_type": "default"}})"},
      {R"({"model_type": "llama", "max_position_embeddings": 64,
           "rope_scaling": {"rope_type": "yarn", "factor": 2.0}})",
       R"({"model_type": "llama", "max_position_embeddings": 64, "rope_parameters": {
           "original_max_position_embeddings": 64, "rope_theta": 10000.0, "rope_type": "yarn",
           "factor": 2.0}})"},
      {R"({"model_type": "gemma3_text", "rope_theta": 1e6, "rope_local_base_freq": 1e4,
           "rope_scaling": {"type": "linear", "factor": 8.0}})",
       R"({"model_type": "gemma3_text", "rope_parameters": {
           "full_attention": {"rope_theta": 1e6, "rope_type": "linear", "type": "linear",
                              "factor": 8.0},
           "sliding_attention": {"rope_theta": 1e4, "rope_type": "default"}}})"},
      {R"({"model_type": "olmo3", "rope_theta": 500000, "rope_scaling": null})",
       R"({"model_type": "olmo3", "rope_parameters": {
           "full_attention": {"rope_theta": 500000, "rope_type": "default"},
           "sliding_attention": {"rope_theta": 500000.0, "rope_type": "default"}}})"},
      {R"({"model_type": "esm"})", R"({"model_type": "esm", "rope_theta": 10000.0})"},
      {R"({"encoder_layers": 2, "num_hidden_layers": 2})", R"({"encoder_layers": 2})"},
      {R"({"hidden_size": 16, "num_attention_heads": 2})",
       R"({"hidden_size": 16, "num_attention_heads": 2, "head_dim": 8})"},
      {"{}", R"({"layer_types": ["full_attention", "full_attention"]})"},
      {R"({"backbone_config": {"a": 1}, "use_timm_backbone": false})",
       R"({"backbone_config": {"a": 1}})"},
      {R"({"limit": [0.0, "Infinity"]})", R"({"limit": [0.0, {"__float__": "Infinity"}]})"},
      {R"({"model_type": "blip_text_model"})",
       R"({"model_type": "blip_text_model", "is_decoder": true})"},
      {R"({"model_type": "videomae", "qkv_bias": true})",
       R"({"model_type": "videomae", "qv_bias": true})"},
      {R"({"part_config": {"model_type": ""}})", R"({"part_config": {"model_type": "sam"}})"},
  };
  for (const auto& [four, five] : cases) {
    EXPECT_THAT(names(compare(four, five)), IsEmpty()) << four;
    EXPECT_THAT(names(compare(five, four)), IsEmpty()) << four;
  }
}

TEST(CompareConfigs, WhatTwoVersionsMeanOtherwiseIsADifference) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"model_type": "llama", "rope_theta": 10000.0})",
       R"({"model_type": "llama",
           "rope_parameters": {"rope_theta": 500000.0, "rope_type": "default"}})"},
      {R"({"model_type": "llama", "rope_theta": 10000.0})",
       R"({"model_type": "llama", "rope_parameters": {
           "rope_theta": 10000.0, "rope_type": "linear", "factor": 2.0}})"},
      {R"({"model_type": "llama", "rope_scaling": {"type": "linear", "factor": 2.0}})",
       R"({"model_type": "llama", "rope_parameters": {"rope_theta": 10000.0, "type": "linear",
           "rope_type": "dynamic", "factor": 2.0}})"},
      {R"({"model_type": "llama", "max_position_embeddings": 64,
           "rope_scaling": {"rope_type": "yarn", "factor": 2.0}})",
       R"({"model_type": "llama", "max_position_embeddings": 64, "rope_parameters": {
           "original_max_position_embeddings": 32, "rope_theta": 10000.0, "rope_type": "yarn",
           "factor": 2.0}})"},
      {R"({"model_type": "mixtral"})",
       R"({"model_type": "mixtral", "rope_parameters": {"rope_theta": 10000.0}})"},
      {R"({"encoder_layers": 2, "num_hidden_layers": 3})", R"({"encoder_layers": 2})"},
      {R"({"hidden_size": 16, "num_attention_heads": 2})",
       R"({"hidden_size": 16, "num_attention_heads": 2, "head_dim": 16})"},
      {"{}", R"({"layer_types": ["full_attention", "sliding_attention"]})"},
      {"{}", R"({"use_timm_backbone": true, "backbone_config": {"a": 1}})"},
      {R"({"model_type": "bert"})", R"({"model_type": "bert", "is_decoder": true})"},
  };
  for (const auto& [four, five] : cases) {
    EXPECT_FALSE(names(compare(four, five)).empty()) << four;
    EXPECT_FALSE(names(compare(five, four)).empty()) << four;
  }
}

TEST(CompareConfigs, TiesCountWhereAClassHasAnOutputLayer) {
  const auto tie = [](const char* classes, const char* a, const char* b) {
    return effect("tie_word_embeddings", ("[" + std::string(a) + ", " + b + "]").c_str(), classes,
                  classes, "bert");
  };
  EXPECT_EQ(tie("BertForMaskedLM", "true", "false"), "outputs");
  EXPECT_EQ(tie("", "true", "false"), "outputs");
  EXPECT_EQ(tie("BertForTokenClassification", "true", "false"), "nothing");
  EXPECT_EQ(tie("BertForMaskedLM", "null", "false"), "nothing");  // the class decides
}

TEST(CompareConfigs, TransformersFiveTiesT5ByTheValuesInTheFiles) {
  const auto found = [](const char* a, const char* b) {
    const auto config = [](const char* fields) {
      return R"({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"])" +
             std::string(fields) + "}";
    };
    return names(compare(config(a).c_str(), config(b).c_str()));
  };
  const char* apart = R"(, "tie_word_embeddings": false)";
  const char* rewritten = R"(, "tie_word_embeddings": true, "scale_decoder_outputs": false)";
  EXPECT_THAT(found(apart, rewritten), ElementsAre("tie_word_embeddings:version"));
  EXPECT_THAT(found(rewritten, apart), ElementsAre("tie_word_embeddings:version"));
  EXPECT_THAT(found(apart, ""), ElementsAre("tie_word_embeddings:outputs"));
  EXPECT_THAT(found("", rewritten), ElementsAre("scale_decoder_outputs:outputs"));
  EXPECT_THAT(found("", R"(, "tie_word_embeddings": true, "scale_decoder_outputs": true)"),
              IsEmpty());
}

TEST(ConfigTable, EveryRowSaysWhyAndEveryDefaultIsJson) {
  for (const ConfigField& row : config_field_rows()) {
    EXPECT_FALSE(row.why.empty()) << row.name;
    EXPECT_TRUE(row.fallback.empty() || Json::accept(row.fallback)) << row.name;
  }
  for (const ConfigDefault& row : config_default_rows()) {
    EXPECT_TRUE(Json::accept(row.fallback)) << row.name;
    EXPECT_NE(ConfigTable("").find(row.name), nullptr) << row.name;
  }
}

TEST(ConfigTable, AliasesLeadToRows) {
  for (const FieldAlias& alias : config_aliases())
    EXPECT_NE(ConfigTable("").find(alias.name), nullptr) << alias.alias;
}

}  // namespace
}  // namespace samebits
