// Every byte of every file has one use.
#include "samebits/checkpoint/byte_account.h"

#include <map>

#include <gmock/gmock.h>

#include "samebits/checkpoint/open.h"
#include "samebits/checkpoint/test_files.h"

namespace samebits {
namespace {

using namespace test_files;  // NOLINT: the vocabulary of these tests

std::map<ByteUse, std::uint64_t> uses_of(const Checkpoint& checkpoint) {
  std::map<ByteUse, std::uint64_t> uses;
  std::vector<std::uint64_t> ends(checkpoint.files.size(), 0);
  for (const ByteRange& range : checkpoint.bytes) {
    EXPECT_EQ(range.begin, ends[range.file]);
    EXPECT_LT(range.begin, range.end);
    ends[range.file] = range.end;
    uses[range.use] += range.end - range.begin;
  }
  for (std::size_t i = 0; i < ends.size(); ++i) EXPECT_EQ(ends[i], checkpoint.files[i].map->size());
  return uses;
}

class ByteAccount : public testing::Test {
 protected:
  std::map<ByteUse, std::uint64_t> uses(const std::string& bytes) {
    const auto checkpoint = open_checkpoint(folder_.write("file", bytes));
    EXPECT_TRUE(checkpoint) << to_string(checkpoint.error());
    return checkpoint ? uses_of(*checkpoint) : std::map<ByteUse, std::uint64_t>();
  }
  Folder folder_;
};

TEST_F(ByteAccount, OfAnArchive) {
  auto found = uses(torch_zip(dict({{"w", tensor("0", 2)}}),
                              {{"0", floats({1, 2})}, {"unnamed", floats({3, 4, 5})}}));
  EXPECT_EQ(found[ByteUse::weights], 8U);
  EXPECT_EQ(found[ByteUse::unreferenced], 12U);
}

TEST_F(ByteAccount, OfALegacyStream) {
  auto found = uses(torch_legacy(dict({{"w", tensor("0", 2)}}), {{"0", floats({1, 2})}}));
  EXPECT_EQ(found[ByteUse::weights], 8U);
  EXPECT_EQ(found[ByteUse::unreferenced], 0U);
}

TEST_F(ByteAccount, OfTheOptimizerApartFromTheWeights) {
  const std::string state = dict({{"step", tensor("1", 1)}});
  const std::string optimizer =
      dict({{"state", "}(" + number(0) + state + "u"}, {"param_groups", "]"}});
  auto found = uses(torch_zip(dict({{"model", dict({{"w", tensor("0", 2)}})}, {"opt", optimizer}}),
                              {{"0", floats({1, 2})}, {"1", floats({3})}}));
  EXPECT_EQ(found[ByteUse::weights], 8U);
}

TEST_F(ByteAccount, OfASafetensorsFile) {
  auto found = uses(safetensors({{"a", {1, 2}}, {"b", {3}}}));
  EXPECT_EQ(found[ByteUse::weights], 12U);
}

TEST_F(ByteAccount, OfADirectory) {
  folder_.write("model/config.json", "{\"model_type\": \"vit\"}");
  folder_.write("model/model.safetensors", safetensors({{"a", {1, 2}}}));
  const auto checkpoint = open_checkpoint(folder_.path("model"));
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(uses_of(*checkpoint)[ByteUse::weights], 8U);
}

TEST_F(ByteAccount, OfWhatFollowsAStream) {
  auto found = uses(torch_legacy(dict({{"w", tensor("0", 1)}}), {{"0", floats({1})}}) + "more");
  EXPECT_EQ(found[ByteUse::unreferenced], 4U);
}

TEST_F(ByteAccount, OfASharedStorageOnce) {
  auto found = uses(
      torch_zip(dict({{"a", tensor("0", 2)}, {"b", tensor("0", 2)}}), {{"0", floats({1, 2})}}));
  EXPECT_EQ(found[ByteUse::weights], 8U);
}

}  // namespace
}  // namespace samebits
