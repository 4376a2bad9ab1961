#include "samebits/model/recognize.h"

#include <gmock/gmock.h>

namespace samebits::model {
namespace {

std::vector<StoredShape> timm_block(std::int64_t mlp_in, std::int64_t mlp_out) {
  return {{"cls_token", {1, 1, 32}},
          {"pos_embed", {1, 5, 32}},
          {"patch_embed.proj.weight", {32, 3, 8, 8}},
          {"patch_embed.proj.bias", {32}},
          {"blocks.0.attn.qkv.weight", {96, 32}},
          {"blocks.0.mlp.fc1.weight", {mlp_in, 32}},
          {"blocks.0.mlp.fc2.weight", {32, mlp_out}}};
}

TEST(Recognize, SizesComeFromTheShapes) {
  const auto reading = recognize(timm_block(64, 64));
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->library, Library::timm);
  EXPECT_EQ(reading->fields['D'], 32);
  EXPECT_EQ(reading->fields['M'], 64);
  EXPECT_EQ(reading->fields['X'], 5);
  EXPECT_EQ(reading->fields.layers, 1);
  EXPECT_FALSE(reading->fields.parts & (kQkvBias | kClassifier | kGated));
}

TEST(Recognize, GatedMlpIsKnownByItsShape) {
  const auto reading = recognize(timm_block(96, 48));
  ASSERT_TRUE(reading);
  EXPECT_TRUE(reading->fields.parts & kGated);
  EXPECT_EQ(reading->fields['F'], 48);
  EXPECT_EQ(reading->inconsistent, 0u);
}

TEST(Recognize, PrefixBeforeEveryNameIsFound) {
  auto tensors = timm_block(64, 64);
  for (StoredShape& tensor : tensors) tensor.name = "model.net." + tensor.name;
  tensors.push_back({"criterion.weight", {3}});
  const auto reading = recognize(tensors);
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->prefix, "model.net.");
  EXPECT_EQ(reading->tensors, 7u);
}

TEST(Recognize, ShapesThatContradictEachOtherAreCounted) {
  auto tensors = timm_block(64, 64);
  tensors[4].shape = {95, 32};
  EXPECT_EQ(recognize(tensors)->inconsistent, 1u);
}

TEST(Recognize, StrangeTensorsAreNotRecognized) {
  EXPECT_FALSE(recognize({{"fc.weight", {3, 3}}, {"", {}}, {std::string(100'000, '1'), {1}}}));
  EXPECT_FALSE(recognize({}));
}

TEST(Recognize, MoreTensorsThanAnyModelHasAreNotRead) {
  auto tensors = timm_block(64, 64);
  tensors.resize(9000, {"x", {1}});
  EXPECT_FALSE(recognize(tensors));
}

TEST(FindBlockNumber, TakesTheNumberOfTheBlock) {
  EXPECT_EQ(find_block_number("encoder.layers.encoder_layer_0.mlp.0.weight", 0),
            std::pair(std::size_t{29}, std::size_t{1}));
  EXPECT_EQ(find_block_number("blocks.1.mlp.fc1.weight", 1),
            std::pair(std::size_t{7}, std::size_t{1}));
  EXPECT_EQ(find_block_number("blocks.1.mlp.fc2.weight", 2), std::nullopt);
}

}  // namespace
}  // namespace samebits::model
