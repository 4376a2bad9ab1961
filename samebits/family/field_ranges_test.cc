#include "samebits/family/field_ranges.h"

#include <set>

#include <gmock/gmock.h>

#include "samebits/base/limits.h"

namespace samebits {
namespace {

using testing::HasSubstr;

/// What is wrong with one field of a ViT's config; "" where nothing is.
std::string fault_of(const char* field, Json value) {
  Json config = {{"model_type", "vit"}};
  config[field] = std::move(value);
  const auto faults = config_faults(config, "f.json");
  return faults.empty() ? "" : to_string(faults[0]);
}

TEST(FieldRanges, EveryRowHasARangeAndAReasonAndStandsOnce) {
  std::set<std::string> seen;
  for (const FieldRange& row : field_ranges()) {
    const std::string name = std::to_string(static_cast<int>(row.of)) +
                             std::string(row.of == FieldOf::module ? row.classes : "") +
                             std::string(row.field);
    EXPECT_TRUE(seen.insert(name).second) << row.field;
    EXPECT_LE(row.least, row.most) << row.field;
    EXPECT_FALSE(row.reason.empty()) << row.field;
    EXPECT_EQ(row.of == FieldOf::module, !row.classes.empty()) << row.field;
  }
  for (const FieldRelation& relation : field_relations()) {
    for (const std::string_view field : {relation.field, relation.other})
      EXPECT_TRUE(checked_field(FieldOf::config, Json::object(), field)) << field;
  }
}

// No value of JSON is usable for every type, and none of these is for any field.
TEST(FieldRanges, NoFieldTakesAnotherType) {
  for (const FieldRange& row : field_ranges()) {
    if (row.of != FieldOf::config) continue;
    for (const Json& value : {Json::array({Json::array()}), Json(-1), Json(-1e300),
                              Json::parse("18446744073709551615"), Json(1e300)}) {
      if (row.field == "layerscale_value" && value == -1) continue;
      const auto faults = config_faults({{std::string(row.field), value}}, "f.json");
      ASSERT_EQ(faults.size(), 1u) << row.field << " " << value;
      EXPECT_THAT(faults[0].what, HasSubstr(std::string(row.field)));
      EXPECT_EQ(faults[0].file, "f.json");
      EXPECT_FALSE(faults[0].expected.empty() || faults[0].found.empty() || faults[0].hint.empty());
    }
  }
}

TEST(FieldRanges, AnErrorSaysWhatIsExpectedAndWhatToDo) {
  EXPECT_EQ(fault_of("mask_ratio", -1),
            "f.json: the config's field mask_ratio is not usable: it is the share of patches that "
            "are removed (expected a number from 0 to 1, found -1). Correct the config, or "
            "name another one with --config");
  EXPECT_THAT(fault_of("num_hidden_layers", 1e9),
              HasSubstr("(expected a whole number from 0 to 4096, found 1000000000.0)"));
}

TEST(FieldRanges, TheEndsOfARangeAreInItUnlessItIsOpenThere) {
  EXPECT_EQ(fault_of("mask_ratio", 0), "");
  EXPECT_EQ(fault_of("mask_ratio", 1.0), "");
  EXPECT_NE(fault_of("mask_ratio", 1.001), "");
  EXPECT_EQ(fault_of("hidden_dropout_prob", 1), "");
  EXPECT_EQ(fault_of("image_size", kLimits.image_side), "");
  EXPECT_NE(fault_of("image_size", kLimits.image_side + 1), "");
  EXPECT_EQ(processor_faults({{"image_std", 0}}, "").size(), 1u);
}

TEST(FieldRanges, NullIsAValueWhereTheLibraryTakesIt) {
  EXPECT_EQ(fault_of("pooler_output_size", nullptr), "");
  EXPECT_NE(fault_of("hidden_size", nullptr), "");
  EXPECT_EQ(*checked_field(FieldOf::config, {{"id2label", nullptr}}, "id2label"), nullptr);
}

TEST(FieldRanges, TypesAreNotConverted) {
  for (const Json& value : {Json(true), Json(8.0), Json("8"), Json::array({8}), Json::object()})
    EXPECT_NE(fault_of("hidden_size", value), "") << value;
  EXPECT_NE(fault_of("qkv_bias", 1), "");
  EXPECT_EQ(fault_of("image_size", {8, 16}), "");
  EXPECT_NE(fault_of("image_size", {8}), "");
  EXPECT_NE(fault_of("image_size", {8, -8}), "");
  EXPECT_NE(fault_of("model_type", 5), "");
  EXPECT_NE(fault_of("layer_norm_eps", "NaN"), "");
}

TEST(FieldRanges, FieldsMustFitTogether) {
  const Json config = {{"hidden_size", 8},
                       {"num_attention_heads", 3},
                       {"patch_size", {4, 16}},
                       {"image_size", {8, 8}},
                       {"decoder_hidden_size", 8}};
  const auto faults = config_faults(config, "f.json");
  ASSERT_EQ(faults.size(), 2u);
  EXPECT_THAT(faults[0].what, HasSubstr("hidden_size and num_attention_heads"));
  EXPECT_EQ(faults[0].found, "8 and 3");
  EXPECT_THAT(faults[1].what, HasSubstr("image_size and patch_size"));
}

TEST(FieldRanges, OtherModelsHaveFieldsOfTheirOwn) {
  const Json heads = {{"num_attention_heads", {1, 2, 5, 8}}};
  Json config = heads;
  EXPECT_FALSE(config_faults(config, "").empty());
  config["model_type"] = "segformer";
  EXPECT_TRUE(config_faults(config, "").empty());
  config["model_type"] = 5;
  EXPECT_EQ(config_faults(config, "").size(), 2u);
  EXPECT_TRUE(config_faults("text", "").empty());
}

TEST(FieldRanges, SizesOfProcessorsAreBounded) {
  const auto faults = [](Json value) {
    return processor_faults({{"crop_size", std::move(value)}}, "f.json").size();
  };
  EXPECT_EQ(faults(224), 0u);
  EXPECT_EQ(faults({{"shortest_edge", 224}, {"longest_edge", nullptr}}), 0u);
  for (const Json& value :
       {Json(65535), Json(0), Json{{"height", 65535}, {"width", 1}}, Json{{"longest_edge", -1}},
        Json{{"shortest_edge", "224"}}, Json::object(), Json::array({1}), Json(224.0)})
    EXPECT_EQ(faults(value), 1u) << value;
  const Json pixels = {{"longest_edge", 12'845'056}};
  EXPECT_TRUE(processor_faults(
                  {{"image_processor_type", "Qwen2VLImageProcessor"}, {"crop_size", pixels}}, "")
                  .empty());
}

TEST(FieldRanges, ProcessorsAreKnownInEverySpelling) {
  for (const char* name : {"ViTImageProcessor", "ViTFeatureExtractor", "ViTImageProcessorFast",
                           "BitImageProcessorPil", "DeiTImageProcessor"})
    EXPECT_TRUE(is_known_processor(name)) << name;
  for (const char* name : {"", "ViT", "Fast", "ViTFast", "SamImageProcessor"})
    EXPECT_FALSE(is_known_processor(name)) << name;
}

TEST(FieldRanges, AttributesOfModulesAreThoseOfTheirClass) {
  const std::string norm = "torch.nn.modules.normalization.LayerNorm";
  const std::string distance = "torch.nn.modules.distance.PairwiseDistance";
  EXPECT_EQ(module_faults({{"eps", -1}}, norm).size(), 1u);
  EXPECT_EQ(module_faults({{"eps", "Infinity"}}, norm).size(), 1u);
  EXPECT_EQ(module_faults({{"p", 2}}, "torch.nn.modules.dropout.Dropout").size(), 1u);
  EXPECT_TRUE(module_faults({{"p", 2}, {"eps", -1}}, distance).empty());
  EXPECT_TRUE(module_faults({{"eps", -1}}, "my.Net").empty());
  EXPECT_TRUE(
      module_faults({{"kernel_size", {4, 4}}, {"padding", "same"}}, "torch.nn.modules.conv.Conv2d")
          .empty());
  EXPECT_EQ(module_faults({{"num_attention_heads", 0}},
                          "transformers.models.vit.modeling_vit.ViTAttention")
                .size(),
            1u);
}

}  // namespace
}  // namespace samebits
