#include "samebits/explain/adapter_names.h"

#include <gmock/gmock.h>

namespace samebits {
namespace {

TEST(AdapterNames, PeftsNamesAreRead) {
  const auto part = adapter_part("base_model.model.vit.layers.0.q_proj.lora_A.default.weight");
  ASSERT_TRUE(part);
  EXPECT_EQ(part->layer, "vit.layers.0.q_proj");
  EXPECT_EQ(part->factor, "lora_A");
  EXPECT_EQ(part->family, "LoRA");
}

TEST(AdapterNames, EachFamilyHasItsOwn) {
  const std::pair<const char*, const char*> kNames[] = {{"x.lora_B.weight", "LoRA"},
                                                        {"x.lora_embedding_A", "LoRA"},
                                                        {"x.lora_up.weight", "LoRA"},
                                                        {"x.lora_magnitude_vector", "DoRA"},
                                                        {"x.ia3_l", "IA3"},
                                                        {"x.hada_w2_b", "LoHa"},
                                                        {"x.lokr_w1", "LoKr"},
                                                        {"x.lokr_w1_a", "LoKr"},
                                                        {"x.oft_R.weight", "OFT"},
                                                        {"x.boft_R", "BOFT"},
                                                        {"x.vera_lambda_d", "VeRA"},
                                                        {"base_model.vera_A", "VeRA"},
                                                        {"x.ln_tuning_layers.bias", "LN tuning"},
                                                        {"prompt_embeddings", "prompt tuning"}};
  for (const auto& [name, family] : kNames) {
    ASSERT_TRUE(adapter_part(name)) << name;
    EXPECT_EQ(adapter_part(name)->family, family) << name;
  }
  EXPECT_EQ(adapter_part("x.lokr_w1_a")->factor, "lokr_w1_a");
  for (const char* other : {"vit.layers.0.q_proj.weight", "x.base_layer.weight", "lora_A", "vera"})
    EXPECT_FALSE(adapter_part(other)) << other;
}

AdapterFactors of_rank(std::int64_t rank) {
  static const std::vector<std::uint8_t> bytes(4096);
  return {{"lora_A", *TensorView::make(DType::float32, {rank, 8}, {8, 1}, 0, bytes)}};
}

TEST(AdapterNames, TheScaleIsTheConfigs) {
  const Json config = {{"r", 4}, {"lora_alpha", 8}};
  EXPECT_EQ(adapter_scale(config, "a.q", of_rank(4)), 2);
  EXPECT_EQ(adapter_scale(config, "a.q", of_rank(2)), 4);
  EXPECT_EQ(adapter_scale({{"alpha", 8}}, "a.q", of_rank(4)), 2);
  EXPECT_EQ(adapter_scale({{"lora_alpha", 8}, {"use_rslora", true}}, "a.q", of_rank(4)), 4);
  EXPECT_EQ(adapter_scale(nullptr, "a.q", of_rank(4)), std::nullopt);
  EXPECT_EQ(adapter_scale({{"lora_alpha", 8}}, "a.q", {}), std::nullopt);
}

TEST(AdapterNames, ALayersOwnScaleGoesFirst) {
  const Json config = {{"lora_alpha", 8}, {"alpha_pattern", {{"layers.0.q", 32}}}};
  EXPECT_EQ(adapter_scale(config, "vit.layers.0.q", of_rank(4)), 8);
  EXPECT_EQ(adapter_scale(config, "vit.layers.1.q", of_rank(4)), 2);
  EXPECT_EQ(adapter_scale(config, "vitlayers.0.q", of_rank(4)), 2);
  const Json pattern = {{"lora_alpha", 8}, {"alpha_pattern", {{"layers\\.[01]\\.q", 32}}}};
  EXPECT_EQ(adapter_scale(pattern, "vit.layers.0.q", of_rank(4)), std::nullopt);
}

}  // namespace
}  // namespace samebits
