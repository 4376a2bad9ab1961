#include "samebits/model/fields_from_config.h"

#include <gmock/gmock.h>

#include "samebits/base/json.h"

namespace samebits::model {
namespace {

using testing::HasSubstr;

Result<Fields> read(const char* config, const char* class_name,
                    Library library = Library::transformers5) {
  return fields_from_config(Json::parse(config), *find_class(library, class_name), library);
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

// As from_pretrained of both versions does it.
TEST(ConfigFields, TransformersFourCountsTheLabelsAndFiveTakesTheNumber) {
  const char* both =
      R"({"model_type": "vit", "num_labels": 5, "id2label": {"0": "a", "1": "b", "2": "c"}})";
  const char* names = R"({"model_type": "vit", "id2label": {"0": "a", "1": "b", "2": "c"}})";
  const char* number = R"({"model_type": "vit", "num_labels": 5, "id2label": null})";
  const auto classes = [](const char* config, Library library) {
    return (*read(config, "ViTForImageClassification", library))['C'];
  };
  EXPECT_EQ(classes(both, Library::transformers4), 3);
  EXPECT_EQ(classes(both, Library::transformers5), 5);
  for (const Library library : {Library::transformers4, Library::transformers5}) {
    EXPECT_EQ(classes(names, library), 3);
    EXPECT_EQ(classes(number, library), 5);
  }
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
        R"({"model_type": "dinov2", "mlp_ratio": 1e300})",
        R"({"model_type": "vit", "patch_size": 0})", R"({"model_type": 5})",
        R"({"model_type": "vit", "num_hidden_layers": 1e9})",
        R"({"model_type": "vit", "num_hidden_layers": 1000000000})",
        R"({"model_type": "vit", "image_size": 18446744073709551615})"}) {
    const auto fields = read(config, "ViTModel");
    ASSERT_FALSE(fields) << config;
    EXPECT_THAT(fields.error().what, HasSubstr("is not usable")) << config;
    EXPECT_NE(fields.error().expected, "") << config;
    EXPECT_NE(fields.error().found, "") << config;
  }
}

TEST(ConfigFields, OtherModelTypeIsAnError) {
  const auto fields = read(R"({"model_type": "bert"})", "ViTModel");
  ASSERT_FALSE(fields);
  EXPECT_EQ(fields.error().code, ErrorCode::unsupported);
  EXPECT_EQ(fields.error().found, "\"bert\"");
}

TEST(ConfigFields, TextThatIsNotUtf8IsStillReported) {
  Json config = {{"model_type", "vit"}, {"hidden_size", std::string("\xff")}};
  const auto fields = fields_from_config(config, *find_class(Library::transformers4, "ViTModel"),
                                         Library::transformers4);
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
