#include "samebits/family/config_fields.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>

#include "samebits/family/classes.h"
#include "samebits/family/field_ranges.h"

namespace samebits {
namespace {

bool has_meaning(std::string_view field) {
  return std::ranges::find(config_field_rows(), field, &ConfigField::name) !=
         config_field_rows().end();
}

TEST(ConfigFieldTable, EveryFieldWithARangeHasAnEffect) {
  for (const FieldRange& range : field_ranges()) {
    if (range.of != FieldOf::config) continue;
    EXPECT_TRUE(has_meaning(range.field)) << range.field;
  }
}

TEST(ConfigFieldTable, EveryDefaultIsWithinItsRange) {
  for (const ConfigDefault& row : config_default_rows()) {
    EXPECT_TRUE(has_meaning(row.name)) << row.name;
    const Json config = {{std::string(row.name), Json::parse(row.fallback)}};
    EXPECT_TRUE(config_faults(config, "").empty()) << row.name;
  }
}

TEST(ConfigFieldTable, TheDefaultsOfEveryTypeAreAConfig) {
  for (const model::ModelType& type : model::model_types()) {
    Json config = {{"model_type", std::string(type.name)}};
    for (const ConfigDefault& row : config_default_rows()) {
      if (has_default(type.name, row.name))
        config[std::string(row.name)] =
            Json::parse(ConfigTable(type.name).find(row.name)->fallback);
    }
    EXPECT_TRUE(config_faults(config, "").empty()) << type.name;
    for (const char* field : {"hidden_size", "num_attention_heads", "layer_norm_eps", "hidden_act",
                              "image_size", "patch_size"})
      EXPECT_TRUE(config.contains(field)) << type.name << " " << field;
    EXPECT_NE(config.contains("mlp_ratio"), config.contains("intermediate_size")) << type.name;
  }
}

TEST(ConfigFieldTable, DefaultsAreThoseOfTheTypeOrOfOneThatHasTheField) {
  EXPECT_EQ(default_number("vit", "patch_size"), 16);
  EXPECT_EQ(default_number("dinov2", "patch_size"), 14);
  EXPECT_EQ(default_number("vit", "decoder_hidden_size"), 512);
  EXPECT_EQ(default_number("vit", "pruned_heads"), std::nullopt);
  EXPECT_TRUE(has_default("deit", "pooler_act"));
  EXPECT_FALSE(has_default("dinov2", "pooler_act"));
  EXPECT_FALSE(has_default("bert", "hidden_size"));
}

}  // namespace
}  // namespace samebits
