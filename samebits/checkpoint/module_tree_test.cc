#include "samebits/checkpoint/module_tree.h"

#include <gmock/gmock.h>

#include "samebits/checkpoint/open.h"
#include "samebits/checkpoint/test_files.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using namespace test_files;  // NOLINT: the vocabulary of these tests

/// A module's state; `more` are further attributes.
std::string module(const std::string& type, const std::string& training,
                   const std::vector<std::pair<std::string, std::string>>& parameters,
                   const std::vector<std::pair<std::string, std::string>>& children,
                   std::vector<std::pair<std::string, std::string>> more = {}) {
  more.insert(
      more.begin(),
      {{"training", training}, {"_parameters", dict(parameters)}, {"_modules", dict(children)}});
  return object(global("my.net", type), dict(more));
}

class ModuleFile : public testing::Test {
 protected:
  Checkpoint open(const std::string& value, std::size_t storages = 3) {
    std::vector<std::pair<std::string, std::string>> all;
    for (std::size_t i = 0; i < storages; ++i)
      all.emplace_back(std::to_string(i), floats({static_cast<float>(i)}));
    auto checkpoint = open_checkpoint(folder_.write("file.pth", torch_zip(value, all)));
    EXPECT_TRUE(checkpoint);
    return *std::move(checkpoint);
  }
  static std::vector<std::string> names(const Checkpoint& checkpoint,
                                        const std::vector<std::uint32_t>& which) {
    std::vector<std::string> found;
    for (const std::uint32_t index : which) found.push_back(checkpoint.entries[index].name);
    return found;
  }
  Folder folder_;
};

TEST_F(ModuleFile, HasClassesModeAndParametersInStateDictOrder) {
  const Checkpoint checkpoint =
      open(module("Net", kFalse, {{"scale", tensor("0", 1)}},
                  {{"head", module("Head", kTrue, {{"w", tensor("1", 1)}}, {},
                                   {{"p", "G?\xb9\x99\x99\x99\x99\x99\x9a"}})}}));
  EXPECT_EQ(checkpoint.kind, CheckpointKind::whole_module);
  EXPECT_EQ(checkpoint.description, "Net(head=Head)");
  EXPECT_THAT(names(checkpoint, checkpoint.weights().weights), ElementsAre("scale", "head.w"));
  ASSERT_EQ(checkpoint.modules.size(), 2U);
  EXPECT_EQ(checkpoint.modules[1].path, "head");
  EXPECT_EQ(checkpoint.modules[1].class_path, "my.net.Head");
  EXPECT_EQ(checkpoint.training_modules(), 1U);
  EXPECT_EQ(checkpoint.modules[1].hyper["p"], 0.1);
}

TEST_F(ModuleFile, BuffersThatAreNotPersistentStandApart) {
  const std::string buffers = dict({{"kept", tensor("0", 1)}, {"cache", tensor("1", 1)}});
  const std::string set = call(global("__builtin__", "set"), {"](" + text("cache") + "e"});
  const Checkpoint checkpoint = open(
      module("Net", kFalse, {}, {}, {{"_buffers", buffers}, {"_non_persistent_buffers_set", set}}));
  EXPECT_THAT(names(checkpoint, checkpoint.weights().weights), ElementsAre("kept"));
  EXPECT_THAT(names(checkpoint, checkpoint.weights().buffers), ElementsAre("cache"));
}

TEST_F(ModuleFile, ATensorThatIsAMereAttributeIsListedAndNoWeight) {
  const Checkpoint checkpoint =
      open(module("Net", kFalse, {{"w", tensor("0", 1)}}, {}, {{"plain", tensor("1", 1)}}));
  EXPECT_THAT(names(checkpoint, checkpoint.weights().weights), ElementsAre("w"));
  ASSERT_EQ(checkpoint.entries.size(), 2U);
  EXPECT_EQ(checkpoint.entries[1].path, "plain");
  EXPECT_EQ(checkpoint.entries[1].role, TensorRole::other);
}

TEST_F(ModuleFile, TheAttributesOfANestedModuleHaveItsPath) {
  const Checkpoint checkpoint = open(dict({{"model", module("Net", kFalse, {{"w", tensor("0", 1)}},
                                                            {}, {{"plain", tensor("1", 1)}})}}));
  EXPECT_EQ(checkpoint.entries[1].path, "model.plain");
}

TEST_F(ModuleFile, WhatTorchCompileWrapsHasItsPrefix) {
  const std::string compiled = call(global("torch._dynamo.eval_frame", "OptimizedModule"),
                                    {module("Net", kTrue, {{"w", tensor("0", 1)}}, {}), kNothing});
  const Checkpoint checkpoint = open(compiled);
  EXPECT_THAT(names(checkpoint, checkpoint.weights().weights), ElementsAre("_orig_mod.w"));
  EXPECT_EQ(checkpoint.training_modules(), 2U);
}

TEST_F(ModuleFile, TheConfigOfAModelIsItsConfig) {
  const std::string config =
      object(global("transformers.models.vit_mae.configuration_vit_mae", "ViTMAEConfig"),
             dict({{"qkv_bias", kTrue}, {"hidden_size", number(32)}}));
  const Checkpoint checkpoint =
      open(module("Net", kFalse, {{"w", tensor("0", 1)}}, {}, {{"config", config}}));
  EXPECT_EQ(checkpoint.model_type, "vit_mae");
  EXPECT_EQ(checkpoint.config["hidden_size"], 32);
  EXPECT_EQ(checkpoint.config_from, "config");
}

TEST_F(ModuleFile, AModuleInsideItselfEnds) {
  // BINPUT 0 at the object, BINGET 0 as its own child.
  const std::string self = global("my.net", "Net") + ")\x81q" + std::string(1, '\0') +
                           dict({{"training", kFalse},
                                 {"_parameters", dict({{"w", tensor("0", 1)}})},
                                 {"_modules", dict({{"again", "h" + std::string(1, '\0')}})}}) +
                           "b";
  const Checkpoint checkpoint = open(self);
  EXPECT_THAT(names(checkpoint, checkpoint.weights().weights), ElementsAre("w"));
}

}  // namespace
}  // namespace samebits
