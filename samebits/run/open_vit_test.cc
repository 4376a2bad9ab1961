// What is refused; tests/parity/vit_test.py holds what runs against transformers.
#include "samebits/run/open_vit.h"

#include <cmath>
#include <new>

#include <gmock/gmock.h>

#include "samebits/base/float_mode.h"
#include "samebits/base/test_float_mode.h"
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
  EXPECT_THAT(changed("hidden_act", "mish"), HasSubstr("activation"));
  EXPECT_THAT(changed("image_size", 64), HasSubstr("image_size"));
  EXPECT_THAT(changed("image_size", -1), HasSubstr("image_size"));
}

// Each of these ended the program, or would end it, in the forward pass.
TEST(OpenVit, AFieldOutsideItsRangeIsAnErrorThatNamesIt) {
  const Json whole = opened(example("hf")).config;
  const std::pair<const char*, Json> odd[] = {{"mask_ratio", -1},
                                              {"mask_ratio", 1.5},
                                              {"mask_ratio", "NaN"},
                                              {"mask_ratio", {0.5}},
                                              {"model_type", 5},
                                              {"hidden_act", 1},
                                              {"layer_norm_eps", -1e-12},
                                              {"hidden_dropout_prob", 2},
                                              {"norm_pix_loss", "yes"},
                                              {"decoder_num_attention_heads", 1e9},
                                              {"num_hidden_layers", 1'000'000'000},
                                              {"image_size", 1e9},
                                              {"image_size", {32, 1'000'000'000}}};
  for (const auto& [field, value] : odd) {
    Json config = whole;
    config[field] = value;
    const Error error = refused(config);
    EXPECT_THAT(error.what, HasSubstr(field)) << value;
    EXPECT_FALSE(error.expected.empty() || error.found.empty()) << field << value;
  }
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
  EXPECT_EQ(run->input.images.size(), 3U * 32 * 32);
  EXPECT_EQ(run->noise.size(), 16U);
  EXPECT_EQ(run->assumed.size(), 2U);
  EXPECT_EQ(run->mask_ratio, 0.75);
}

TEST(PrepareRun, AnInputOfAnotherShapeIsAnError) {
  const auto run = prepare_run({.model = example("hf"), .input = {.randn = {1, 3, 32, 4}}});
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().expected, "[batch, 3, 32, 32]");
  EXPECT_THAT(run.error().what, HasSubstr("smaller than a patch"));
  EXPECT_FALSE(prepare_run({.model = example("hf"), .input = {.randn = {1, 4, 32, 32}}}));
  EXPECT_FALSE(
      prepare_run({.model = example("hf"), .input = {.randn = {1, 3, 1U << 20, 1U << 20}}}));
}

TEST(PrepareRun, ImagesOfAnotherSizeHaveResampledPositionsAndThatIsSaid) {
  auto run = prepare_run({.model = example("hf"), .input = {.randn = {2, 3, 48, 40}}});
  ASSERT_TRUE(run) << to_string(run.error());
  EXPECT_THAT(run->assumed, testing::Contains(HasSubstr("resampled from 4x4 to 6x5 patches")));
  ThreadPool pool(1);
  const Result<VitOutputs> outputs = run->forward({best_kernels(), pool});
  ASSERT_TRUE(outputs);
  EXPECT_EQ(outputs->at("mask").shape, (std::vector<std::size_t>{2, 30}));
}

TEST(PrepareRun, AMaskRatioOfOneKeepsNoPatch) {
  Result<PreparedRun> run = prepare_run({.model = example("hf"), .mask_ratio = 1.0});
  ASSERT_TRUE(run);
  ThreadPool pool(1);
  const Result<VitOutputs> outputs = run->forward({best_kernels(), pool});
  ASSERT_TRUE(outputs);
  EXPECT_THAT(outputs->at("mask").values, testing::Each(1.0F));
  EXPECT_THAT(outputs->at("logits").values,
              testing::Each(testing::Truly([](float x) { return std::isfinite(x); })));
  EXPECT_EQ(prepare_run({.model = example("hf"), .mask_ratio = 1.1}).error().code,
            ErrorCode::limit);
}

TEST(PrepareRun, ARatioThatIsAskedForStandsInPlaceOfTheConfigs) {
  const test_files::Folder folder;
  Json config = opened(example("hf")).config;
  config["mask_ratio"] = -1;
  const std::string path = folder.write("config.json", config.dump());
  const auto run = prepare_run({.model = example("hf"), .config_path = path});
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().file, path);
  const auto asked = prepare_run({.model = example("hf"), .config_path = path, .mask_ratio = 0.5});
  ASSERT_TRUE(asked) << to_string(asked.error());
  EXPECT_EQ(asked->mask_ratio, 0.5);
}

// From the file to the outputs: the weights are widened, positions resampled, noise and images
// drawn, all in the caller's mode or not.
std::vector<NamedArray> outputs_of(const RunRequest& request, int threads) {
  auto run = prepare_run(request);
  if (!run) return {};
  ThreadPool pool(threads);
  Result<VitOutputs> outputs = run->forward({best_kernels(), pool});
  return outputs ? outputs->arrays : std::vector<NamedArray>();
}

TEST(PreparedRun, TheCallersFloatModeMovesNoBit) {
  const RunRequest request = {
      .model = example("hf"), .input = {.randn = {2, 3, 48, 40}}, .dropout_seed = 3};
  const std::vector<NamedArray> wanted = outputs_of(request, 1);
  ASSERT_GT(wanted.size(), 3U);
  for (const int threads : {1, 3}) {
    const OddFloatMode odd;
    const std::vector<NamedArray> found = outputs_of(request, threads);
    EXPECT_TRUE(odd.holds());
    const FloatMode contract;
    ASSERT_EQ(found.size(), wanted.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].name, wanted[i].name);
      EXPECT_TRUE(found[i].values == wanted[i].values) << found[i].name;
    }
  }
}

TEST(PreparedRun, TheThreadsThatLoadItMoveNoBit) {
  for (const char* file : {"hf", "whole.pth"}) {
    const std::vector<NamedArray> wanted = outputs_of({.model = example(file)}, 1);
    ASSERT_FALSE(wanted.empty());
    for (const int threads : {2, 5}) {
      const auto found = outputs_of({.model = example(file), .threads = threads}, 1);
      ASSERT_EQ(found.size(), wanted.size());
      for (std::size_t i = 0; i < found.size(); ++i)
        EXPECT_TRUE(found[i].values == wanted[i].values) << found[i].name;
    }
  }
}

TEST(PreparedRun, WhereNoMemoryIsLeftThatIsAnErrorAndItCanRunAgain) {
  auto run = prepare_run({.model = example("hf")});
  ASSERT_TRUE(run);
  ThreadPool pool(2);
  const TracePoint no_memory = [](std::string_view, std::span<const float>,
                                  const std::vector<std::size_t>&) { throw std::bad_alloc(); };
  const Result<VitOutputs> refused = run->forward({best_kernels(), pool}, no_memory);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::memory);
  EXPECT_TRUE(run->forward({best_kernels(), pool}));
}

TEST(VitModel, AForwardPassIsTracedInItsOrder) {
  auto run = prepare_run({.model = example("hf")});
  ASSERT_TRUE(run);
  ThreadPool pool(1);
  std::vector<std::string> points;
  ASSERT_TRUE(run->forward({best_kernels(), pool},
                           [&](std::string_view name, std::span<const float>,
                               const std::vector<std::size_t>&) { points.emplace_back(name); }));
  ASSERT_EQ(points.size(), 1 + 5 * 2 + 1 + 1 + 5 * 2 + 2);
  points.resize(7);
  EXPECT_THAT(points, testing::ElementsAre("vit.embeddings", "vit.layers.0.layernorm_before",
                                           "vit.layers.0.attention", "vit.layers.0.layernorm_after",
                                           "vit.layers.0.mlp", "vit.layers.0",
                                           "vit.layers.1.layernorm_before"));
}

}  // namespace
}  // namespace samebits
