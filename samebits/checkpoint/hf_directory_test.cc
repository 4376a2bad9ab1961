#include "samebits/checkpoint/hf_directory.h"

#include <gmock/gmock.h>

#include "samebits/checkpoint/open.h"
#include "samebits/checkpoint/test_files.h"

namespace samebits {
namespace {

using testing::HasSubstr;
using namespace test_files;  // NOLINT: the vocabulary of these tests

class HfDirectory : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& content) {
    folder_.write("model/" + name, content);
  }
  Result<Checkpoint> open(const OpenOptions& options = {}) {
    return open_checkpoint(folder_.path("model"), options);
  }
  void write_index(const std::string& map) {
    write("model.safetensors.index.json", "{\"metadata\": {}, \"weight_map\": {" + map + "}}");
  }
  Folder folder_;
};

TEST_F(HfDirectory, HasConfigProcessorAndWeights) {
  write("config.json", "{\"model_type\": \"vit\", \"transformers_version\": \"5.24.0\"}");
  write("preprocessor_config.json", "{\"do_resize\": true}");
  write("model.safetensors", safetensors({{"w", {1, 2}}}));
  const auto checkpoint = open();
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->kind, CheckpointKind::hf_directory);
  EXPECT_EQ(checkpoint->model_type, "vit");
  EXPECT_EQ(checkpoint->producer["transformers"], "5.24.0");
  EXPECT_EQ(checkpoint->preprocessing["do_resize"], true);
  EXPECT_EQ(checkpoint->parameters(), 2U);
}

TEST_F(HfDirectory, ABinFileIsReadAsTorchWroteIt) {
  write("pytorch_model.bin", torch_zip(dict({{"w", tensor("0", 1)}}), {{"0", floats({1})}}));
  const auto checkpoint = open();
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->kind, CheckpointKind::hf_directory);
  EXPECT_EQ(checkpoint->parameters(), 1U);
}

TEST_F(HfDirectory, ShardsAreOneModel) {
  write("one.safetensors", safetensors({{"a", {1}}}));
  write("two.safetensors", safetensors({{"b", {2, 3}}}));
  write_index(R"("a": "one.safetensors", "b": "two.safetensors")");
  const auto checkpoint = open();
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->parameters(), 3U);
  EXPECT_TRUE(checkpoint->unread.empty());
}

TEST_F(HfDirectory, AMissingShardIsSaid) {
  write("one.safetensors", safetensors({{"a", {1}}}));
  write_index(R"("a": "one.safetensors", "b": "two.safetensors")");
  const auto checkpoint = open();
  ASSERT_TRUE(checkpoint);
  ASSERT_EQ(checkpoint->unread.size(), 1U);
  EXPECT_THAT(to_string(checkpoint->unread[0]), HasSubstr("two.safetensors"));
}

TEST_F(HfDirectory, AnIndexThatNamesWhatAShardLacksIsSaid) {
  write("one.safetensors", safetensors({{"a", {1}}}));
  write_index(R"("a": "one.safetensors", "b": "one.safetensors")");
  const auto checkpoint = open();
  ASSERT_TRUE(checkpoint);
  ASSERT_EQ(checkpoint->unread.size(), 1U);
  EXPECT_EQ(checkpoint->unread[0].code, ErrorCode::inconsistent);
}

std::vector<std::string> incomplete(const Checkpoint& checkpoint) {
  std::vector<std::string> summaries;
  for (const Oddity& oddity : checkpoint.oddities)
    if (oddity.kind == Oddity::Kind::incomplete) summaries.push_back(oddity.summary);
  return summaries;
}

TEST_F(HfDirectory, OfTwoTensorsWithOneNameTheLastShardCounts) {
  write("one.safetensors", safetensors({{"a", {1}}, {"b", {2}}}));
  write("two.safetensors", safetensors({{"a", {3}}}));
  for (const std::string named : {"one.safetensors", "two.safetensors"}) {
    write_index("\"a\": \"" + named + R"(", "b": "one.safetensors", "c": "two.safetensors")");
    const auto checkpoint = open();
    ASSERT_TRUE(checkpoint);
    std::vector<std::string> files;
    for (const StoredTensor& tensor : checkpoint->entries)
      if (tensor.path == "a") files.push_back(checkpoint->files[tensor.file].path);
    EXPECT_THAT(files, testing::ElementsAre(HasSubstr("two.safetensors")));
    EXPECT_THAT(incomplete(*checkpoint), testing::ElementsAre(HasSubstr("unlike values")));
  }
}

TEST_F(HfDirectory, EqualTensorsInTwoShardsAreNoRisk) {
  write("one.safetensors", safetensors({{"a", {1}}}));
  write("two.safetensors", safetensors({{"a", {1}}, {"b", {2}}}));
  write_index(R"("a": "one.safetensors", "b": "two.safetensors")");
  const auto checkpoint = open();
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->parameters(), 2U);
  EXPECT_TRUE(incomplete(*checkpoint).empty());
}

TEST_F(HfDirectory, ATensorInAnotherShardThanTheIndexSaysIsReadThere) {
  write("one.safetensors", safetensors({{"b", {2}}}));
  write("two.safetensors", safetensors({{"a", {1}}, {"c", {2}}}));
  write_index(R"("a": "one.safetensors", "b": "one.safetensors", "c": "two.safetensors")");
  const auto checkpoint = open();
  ASSERT_TRUE(checkpoint);
  EXPECT_TRUE(checkpoint->unread.empty());
  EXPECT_EQ(checkpoint->parameters(), 3U);
  EXPECT_THAT(incomplete(*checkpoint), testing::ElementsAre(HasSubstr("it is in two.safetensors")));
}

TEST_F(HfDirectory, WhatTheIndexDoesNotNameIsSaid) {
  write("one.safetensors", safetensors({{"a", {1}}, {"b", {2}}}));
  write("model-00001-of-00003.safetensors", safetensors({{"a", {3}}}));
  write_index(R"("a": "one.safetensors")");
  const auto checkpoint = open();
  ASSERT_TRUE(checkpoint);
  EXPECT_THAT(incomplete(*checkpoint),
              testing::ElementsAre(HasSubstr("b is in one.safetensors"),
                                   HasSubstr("the shard model-00001-of-00003.safetensors")));
}

TEST_F(HfDirectory, TwoUnlikeModelsInOneDirectoryAreSaidWhereValuesAreCompared) {
  write("model.safetensors", safetensors({{"w", {1, 2}}}));
  write("pytorch_model.bin", torch_zip(dict({{"w", tensor("0", 2)}}), {{"0", floats({1, 2})}}));
  EXPECT_TRUE(incomplete(*open({.cross_check = true})).empty());
  write("pytorch_model.bin", torch_zip(dict({{"w", tensor("0", 2)}}), {{"0", floats({1, 3})}}));
  EXPECT_THAT(incomplete(*open({.cross_check = true})),
              testing::ElementsAre(HasSubstr("model.safetensors was taken")));
}

TEST_F(HfDirectory, TwoModelsOfUnlikeNamesAreSaidWithoutComparingValues) {
  write("model.safetensors", safetensors({{"a", {1}}, {"b", {2}}, {"c", {3}}}));
  write("pytorch_model.bin", torch_zip(dict({{"w", tensor("0", 2)}}), {{"0", floats({1, 2})}}));
  EXPECT_THAT(incomplete(*open()), testing::ElementsAre(HasSubstr("hold unlike models")));
  write("pytorch_model.bin", torch_zip(dict({{"a", tensor("0", 1)}, {"b", tensor("1", 1)}}),
                                       {{"0", floats({1})}, {"1", floats({2})}}));
  EXPECT_TRUE(incomplete(*open()).empty());  // c may be a tie
}

TEST_F(HfDirectory, AnIndexLeadsNowhereElse) {
  folder_.write("secret.safetensors", safetensors({{"a", {1}}}));
  for (const std::string name : {"../secret.safetensors", "/etc/passwd", "a\\\\b"}) {
    write_index("\"a\": \"" + name + "\"");
    const auto checkpoint = open();
    const bool refused = !checkpoint || !checkpoint->unread.empty();
    EXPECT_TRUE(refused) << name;
    if (checkpoint) {
      for (const SourceFile& file : checkpoint->files) EXPECT_THAT(file.path, HasSubstr("/model/"));
    }
  }
}

TEST_F(HfDirectory, AConfigThatCannotBeReadIsSaidBesideTheTensors) {
  write("model.safetensors", safetensors({{"w", {1}}}));
  for (const std::string text : {"[1]", "{\"model_type\": "}) {
    write("config.json", text);
    const auto checkpoint = open();
    ASSERT_TRUE(checkpoint);
    EXPECT_EQ(checkpoint->parameters(), 1U);
    EXPECT_TRUE(checkpoint->config.is_null());
    ASSERT_EQ(checkpoint->config_faults.size(), 1U) << text;
    EXPECT_THAT(checkpoint->config_faults[0].file, HasSubstr("config.json"));
  }
}

TEST_F(HfDirectory, ALinkThatLeadsNowhereIsNoAbsence) {
  write("model.safetensors", safetensors({{"w", {1}}}));
  std::filesystem::create_symlink("gone", folder_.path("model/preprocessor_config.json"));
  std::filesystem::create_symlink("gone", folder_.path("model/config.json"));
  const auto checkpoint = open();
  ASSERT_TRUE(checkpoint);
  for (const auto* faults : {&checkpoint->config_faults, &checkpoint->preprocessing_faults}) {
    ASSERT_EQ(faults->size(), 1U);
    EXPECT_THAT(to_string(faults->front()), HasSubstr("cannot open"));
  }
}

TEST_F(HfDirectory, WithoutWeightsIsAnError) {
  write("config.json", "{}");
  const auto checkpoint = open();
  ASSERT_FALSE(checkpoint);
  EXPECT_THAT(checkpoint.error().what, HasSubstr("holds no weights"));
}

TEST_F(HfDirectory, OfTwoFilesSafetensorsComesFirstAndAKeyChooses) {
  write("model.safetensors", safetensors({{"w", {1}}}));
  write("pytorch_model.bin", torch_zip(dict({{"w", tensor("0", 2)}}), {{"0", floats({1, 2})}}));
  EXPECT_EQ(open()->parameters(), 1U);
  EXPECT_EQ(open({.key = "pytorch_model.bin"})->parameters(), 2U);
  EXPECT_THAT(open()->choice_reason, HasSubstr("comes first"));
  EXPECT_EQ(open({.key = "pytorch_model.bin"})->choice_reason, "asked for by --key");
  EXPECT_EQ(open({.key = "other"}).error().code, ErrorCode::usage);
}

TEST_F(HfDirectory, AVariantAloneIsTakenAndBesideAnotherNamed) {
  write("pytorch_model.fp16.bin", torch_zip(dict({{"w", tensor("0", 1)}}), {{"0", floats({1})}}));
  ASSERT_TRUE(open());
  EXPECT_EQ(open()->weights().key, "pytorch_model.fp16.bin");
  write("model.fp16.safetensors", safetensors({{"w", {1}}}));
  ASSERT_FALSE(open());
  EXPECT_THAT(open().error().hint, HasSubstr("model.fp16.safetensors"));
}

}  // namespace
}  // namespace samebits
