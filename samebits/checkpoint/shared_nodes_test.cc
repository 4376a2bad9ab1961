// What a pickle says once and names again and again, for two bytes each time.
#include <gmock/gmock.h>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/open.h"
#include "samebits/checkpoint/test_files.h"

namespace samebits {
namespace {

using testing::HasSubstr;
using namespace test_files;  // NOLINT: the vocabulary of these tests

std::string put(std::uint32_t index) { return "r" + le32(index); }
std::string get(std::uint32_t index) { return "j" + le32(index); }
/// Leaves nothing on the stack but in the memo.
std::string kept(const std::string& value, std::uint32_t index) { return value + put(index) + "0"; }
std::string repeated(const std::string& item, std::size_t count) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) bytes += item;
  return bytes;
}

std::string module(const std::string& children, const std::string& attributes = "") {
  const std::string state = "}(" + text("training") + kFalse + text("_parameters") + "}" +
                            text("_buffers") + "}" + text("_modules") + "}(" + children + "u" +
                            attributes + "u";
  return object(global("torch.nn.modules.linear", "Linear"), state);
}

Checkpoint opened(const std::string& value) {
  const Folder folder;
  auto checkpoint =
      open_checkpoint(folder.write("file.pth", torch_zip(value, {{"0", floats({1})}})));
  EXPECT_TRUE(checkpoint);
  return checkpoint ? *std::move(checkpoint) : Checkpoint{};
}

void expect_limit(const Checkpoint& checkpoint) {
  ASSERT_FALSE(checkpoint.unread.empty());
  EXPECT_EQ(checkpoint.unread[0].code, ErrorCode::limit);
}

TEST(SharedNodes, APathOfOneLongKeyIsNotFollowed) {
  constexpr std::size_t kDepth = 100;
  std::string tensors;
  for (int i = 0; i < 1000; ++i) tensors += text("t" + std::to_string(i)) + get(2);
  const Checkpoint checkpoint =
      opened(kept(text(std::string(50'000, 'k')), 1) + kept(tensor("0", 1), 2) +
             repeated("}" + get(1), kDepth) + "}(" + tensors + "u" + repeated("s", kDepth));
  expect_limit(checkpoint);
  EXPECT_TRUE(checkpoint.entries.empty());
}

TEST(SharedNodes, ALongKeyThatIsMetAgainAndAgainEndsTheWalk) {
  const Checkpoint checkpoint =
      opened(kept(text(std::string(500'000, 'k')), 1) + kept("}" + get(1) + number(1) + "s", 2) +
             "](" + repeated(get(2), 100'000) + "e");
  expect_limit(checkpoint);
}

TEST(SharedNodes, OneTensorIsListedABoundedNumberOfTimes) {
  const Checkpoint checkpoint =
      opened(kept(tensor("0", 1), 1) + "](" + repeated(get(1), 2 * kLimits.tree_repeats) + "e");
  expect_limit(checkpoint);
  EXPECT_GE(checkpoint.entries.size(), kLimits.tree_repeats);
  EXPECT_LT(checkpoint.entries.size(), kLimits.tree_repeats + 100);
}

TEST(SharedNodes, ModulesThatDoubleAreListedABoundedNumberOfTimes) {
  std::string value = kept(module(""), 0);
  for (std::uint32_t i = 0; i < 60; ++i)
    value += kept(module(text("a") + get(i) + text("b") + get(i)), i + 1);
  const Checkpoint checkpoint = opened(value + get(60));
  expect_limit(checkpoint);
  EXPECT_LT(checkpoint.modules.size(), kLimits.tree_repeats + 10'000);
}

TEST(SharedNodes, OneModuleInManyPlacesIsReadOnce) {
  std::string children;
  for (int i = 0; i < 200; ++i) children += text("c" + std::to_string(i)) + module("");
  expect_limit(opened(kept(module(children), 1) + "](" + repeated(get(1), 20'000) + "e"));
}

TEST(SharedNodes, ATextOfEveryModuleIsKeptABoundedNumberOfTimes) {
  std::string children;
  for (int i = 0; i < 500; ++i)
    children += text("c" + std::to_string(i)) + module("", text("note") + get(1));
  const Checkpoint checkpoint = opened(kept(text(std::string(400'000, 'x')), 1) + module(children));
  expect_limit(checkpoint);
  EXPECT_LT(checkpoint.modules.size(), 100U);
}

/// Five hundred modules that all have one attribute.
Checkpoint with_attribute(const std::string& value) {
  std::string children;
  for (int i = 0; i < 500; ++i)
    children += text("c" + std::to_string(i)) + module("", text("note") + get(2));
  return opened(kept(text(std::string(400'000, 'x')), 1) + kept(value, 2) +
                module(children, text("w") + tensor("0", 1)));
}

void expect_few_attributes(const Checkpoint& checkpoint) {
  ASSERT_EQ(checkpoint.modules.size(), 501U);
  std::size_t size = 0;
  for (const ModuleRecord& each : checkpoint.modules) size += each.attributes.dump().size();
  EXPECT_GT(size, std::size_t{10} << 20);
  EXPECT_LT(size, std::size_t{24} << 20);
  EXPECT_THAT(checkpoint.modules.back().attributes.dump(), HasSubstr("too many values"));
}

TEST(SharedNodes, ALongKeyOfAnAttributeIsKeptByItsDigest) {
  const Checkpoint checkpoint = with_attribute("}" + get(1) + number(1) + "s");
  ASSERT_EQ(checkpoint.modules.size(), 501U);
  EXPECT_THAT(checkpoint.modules.back().attributes.dump(), HasSubstr("text of 400000 bytes"));
}

TEST(SharedNodes, AConfigOfEveryModuleIsKeptABoundedNumberOfTimes) {
  expect_few_attributes(
      with_attribute(object(global("transformers.models.vit.configuration_vit", "ViTConfig"),
                            "}(" + text("f") + get(1) + "u")));
}

TEST(SharedNodes, ATextOfEveryFieldOfAConfigIsKeptABoundedNumberOfTimes) {
  std::string fields;
  for (int i = 0; i < 500; ++i) fields += text("f" + std::to_string(i)) + get(1);
  const std::string config =
      object(global("transformers.models.vit.configuration_vit", "ViTConfig"), "}(" + fields + "u");
  const Checkpoint checkpoint =
      opened(kept(text(std::string(400'000, 'x')), 1) + module("", text("config") + config));
  EXPECT_EQ(checkpoint.config["f1"].get<std::string>().size(), 400'000U);
  EXPECT_EQ(checkpoint.config["f499"], "...");
  EXPECT_LT(checkpoint.config.dump().size(), std::size_t{2} << 20);
}

}  // namespace
}  // namespace samebits
