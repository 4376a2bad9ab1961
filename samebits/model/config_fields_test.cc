#include "samebits/model/config_fields.h"

#include <gmock/gmock.h>

#include "samebits/base/json.h"

namespace samebits::model {
namespace {

using testing::HasSubstr;

Result<Fields> read(const char* config, const char* class_name) {
  return fields_from_config(Json::parse(config), *find_class(Library::transformers5, class_name));
}

TEST(ConfigFields, AbsentFieldsHaveTheirDefaults) {
  const Fields fields = *read(R"({"model_type": "vit"})", "ViTForImageClassification");
  EXPECT_EQ(fields['D'], 768);
  EXPECT_EQ(fields['M'], 3072);
  EXPECT_EQ(fields['X'], 197);
  EXPECT_EQ(fields['C'], 2);
  EXPECT_EQ(fields.layers, 12);
  EXPECT_TRUE(fields.parts & kQkvBias);
  EXPECT_EQ((*read(R"({"model_type": "dinov2"})", "Dinov2Model"))['P'], 14);
}

TEST(ConfigFields, LabelsAreCounted) {
  const auto fields =
      read(R"({"model_type": "vit", "id2label": {"0": "a", "1": "b", "2": "c"}, "num_labels": 9})",
           "ViTForImageClassification");
  EXPECT_EQ((*fields)['C'], 3);
}

TEST(ConfigFields, NoLabelsNoClassifier) {
  const auto fields = read(R"({"model_type": "vit", "id2label": {}})", "ViTForImageClassification");
  EXPECT_FALSE(fields->parts & kClassifier);
}

TEST(ConfigFields, ImagesMayBeOblong) {
  const auto fields =
      read(R"({"model_type": "deit", "image_size": [16, 24], "patch_size": 8})", "DeiTModel");
  EXPECT_EQ((*fields)['X'], 2 * 3 + 2);
}

TEST(ConfigFields, GatedWidthIsTwoThirdsRoundedUpToEight) {
  const auto fields =
      read(R"({"model_type": "dinov2", "hidden_size": 32, "mlp_ratio": 2, "use_swiglu_ffn": true})",
           "Dinov2Model");
  EXPECT_EQ((*fields)['F'], 48);
  EXPECT_TRUE(fields->parts & kGated);
}

TEST(ConfigFields, PoolerMayHaveItsOwnWidth) {
  EXPECT_EQ((*read(R"({"model_type": "vit", "pooler_output_size": 20})", "ViTModel"))['Y'], 20);
  EXPECT_EQ((*read(R"({"model_type": "vit", "pooler_output_size": null})", "ViTModel"))['Y'], 768);
}

TEST(ConfigFields, FieldOfAnotherTypeIsAnError) {
  for (const char* config :
       {R"({"model_type": "vit", "hidden_size": "768"})",
        R"({"model_type": "vit", "num_hidden_layers": -1})",
        R"({"model_type": "vit", "patch_size": [16]})", R"({"model_type": "vit", "qkv_bias": 1})",
        R"({"model_type": "dinov2", "mlp_ratio": 1e300})"}) {
    const auto fields = read(config, "ViTModel");
    ASSERT_FALSE(fields) << config;
    EXPECT_EQ(fields.error().code, ErrorCode::malformed) << config;
  }
}

TEST(ConfigFields, PatchOfZeroLeavesThePositionsUnknown) {
  EXPECT_EQ((*read(R"({"model_type": "vit", "patch_size": 0})", "ViTModel"))['X'], -1);
}

TEST(ConfigFields, OtherModelTypeIsAnError) {
  const auto fields = read(R"({"model_type": "bert"})", "ViTModel");
  ASSERT_FALSE(fields);
  EXPECT_EQ(fields.error().code, ErrorCode::usage);
  EXPECT_EQ(fields.error().found, "\"bert\"");
}

TEST(ConfigFields, TextThatIsNotUtf8IsStillReported) {
  Json config = {{"model_type", "vit"}, {"hidden_size", std::string("\xff")}};
  const auto fields = fields_from_config(config, *find_class(Library::transformers4, "ViTModel"));
  ASSERT_FALSE(fields);
  EXPECT_EQ(fields.error().found, "\"\\ufffd\"");
}

TEST(ConfigFields, ConfigThatIsNoObjectIsAnError) {
  const auto fields = read("[1]", "ViTModel");
  ASSERT_FALSE(fields);
  EXPECT_THAT(fields.error().what, HasSubstr("no JSON object"));
}

}  // namespace
}  // namespace samebits::model
