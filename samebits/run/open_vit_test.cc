// What is refused; tests/parity/vit_test.py holds what runs against transformers.
#include "samebits/run/open_vit.h"

#include <gmock/gmock.h>

#include "samebits/checkpoint/open.h"
#include "samebits/checkpoint/test_files.h"
#include "samebits/run/run_request.h"

namespace samebits {
namespace {

using testing::HasSubstr;

std::string example(const std::string& name) {
  return std::string(SAMEBITS_SOURCE_DIR) + "/examples/vit-mae-tiny/" + name;
}

Checkpoint opened(const std::string& path) {
  auto checkpoint = open_checkpoint(path);
  EXPECT_TRUE(checkpoint);
  return *std::move(checkpoint);
}

Error refused(const Json& config) {
  const auto model = open_vit(opened(example("hf")), config);
  EXPECT_FALSE(model);
  return model ? Error{} : model.error();
}

TEST(OpenVit, TakesTheExample) {
  const Checkpoint checkpoint = opened(example("hf"));
  const auto model = open_vit(checkpoint, checkpoint.config);
  ASSERT_TRUE(model) << to_string(model.error());
  EXPECT_TRUE(model->config().masked);
  EXPECT_EQ(model->config().patches(), 16U);
  EXPECT_EQ(model->config().decoder.layers, 2U);
}

TEST(OpenVit, WithoutAConfigSaysWhatIsLacking) {
  const Error error = refused(nullptr);
  EXPECT_EQ(error.code, ErrorCode::usage);
  EXPECT_THAT(error.hint, HasSubstr("--config"));
}

TEST(OpenVit, AFieldThatIsAbsentIsNeverGuessed) {
  const Json whole = opened(example("hf")).config;
  for (const char* field : {"num_attention_heads", "layer_norm_eps", "hidden_act", "image_size",
                            "mask_ratio", "decoder_num_attention_heads"}) {
    Json config = whole;
    config.erase(field);
    EXPECT_THAT(refused(config).what, HasSubstr(field));
  }
}

TEST(OpenVit, AFieldThatDoesNotFitIsNamed) {
  const Json whole = opened(example("hf")).config;
  const auto changed = [&](const char* field, Json value) {
    Json config = whole;
    config[field] = std::move(value);
    return refused(config).what;
  };
  EXPECT_THAT(changed("num_attention_heads", 5), HasSubstr("num_attention_heads"));
  EXPECT_THAT(changed("num_attention_heads", 0), HasSubstr("num_attention_heads"));
  EXPECT_THAT(changed("layer_norm_eps", "small"), HasSubstr("layer_norm_eps"));
  EXPECT_THAT(changed("hidden_act", "relu"), HasSubstr("activation"));
  EXPECT_THAT(changed("image_size", 64), HasSubstr("image_size"));
  EXPECT_THAT(changed("image_size", -1), HasSubstr("image_size"));
}

TEST(OpenVit, OtherWeightsAreRefused) {
  const test_files::Folder folder;
  const Checkpoint other = opened(folder.write("x", test_files::safetensors({{"w", {1, 2}}})));
  const auto model = open_vit(other, Json::object());
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, ErrorCode::unsupported);
}

TEST(PrepareRun, DrawsWhatIsNotGivenAndSaysSo) {
  const auto run = prepare_run({.model = example("hf")});
  ASSERT_TRUE(run);
  EXPECT_EQ(run->images.size(), 3U * 32 * 32);
  EXPECT_EQ(run->noise.size(), 16U);
  EXPECT_EQ(run->assumed.size(), 2U);
  EXPECT_EQ(run->mask_ratio, 0.75);
}

TEST(PrepareRun, AnInputOfAnotherShapeIsAnError) {
  const auto run = prepare_run({.model = example("hf"), .randn = {1, 3, 32, 33}});
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().expected, "[batch, 3, 32, 32]");
}

TEST(PrepareRun, AMaskRatioOfOneIsAnError) {
  EXPECT_EQ(prepare_run({.model = example("hf"), .mask_ratio = 1.0}).error().code,
            ErrorCode::malformed);
}

TEST(VitModel, AForwardPassIsTracedInItsOrder) {
  auto run = prepare_run({.model = example("hf")});
  ASSERT_TRUE(run);
  ThreadPool pool(1);
  std::vector<std::string> points;
  run->model.forward({best_kernels(), pool}, run->input(),
                     [&](std::string_view name, std::span<const float>,
                         const std::vector<std::size_t>&) { points.emplace_back(name); });
  EXPECT_THAT(points, testing::ElementsAre("vit.embeddings", "vit.layers.0", "vit.layers.1",
                                           "vit.layernorm", "decoder.decoder_layers.0",
                                           "decoder.decoder_layers.1"));
}

}  // namespace
}  // namespace samebits
