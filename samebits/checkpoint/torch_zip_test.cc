// torch.save's archives: what is read, and every way in which they can lie.
#include <gmock/gmock.h>

#include "samebits/checkpoint/open.h"
#include "samebits/checkpoint/test_files.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace test_files;  // NOLINT: the vocabulary of these tests

class TorchZip : public testing::Test {
 protected:
  Result<Checkpoint> open(const std::string& bytes, const OpenOptions& options = {}) {
    return open_checkpoint(folder_.write("file.pth", bytes), options);
  }
  /// The error of the only part that could not be read.
  Error unread(const std::string& bytes) {
    const auto checkpoint = open(bytes);
    EXPECT_TRUE(checkpoint && checkpoint->unread.size() == 1);
    return checkpoint && !checkpoint->unread.empty() ? checkpoint->unread[0] : Error{};
  }
  Folder folder_;
};

std::vector<std::string> names_of(const Checkpoint& checkpoint) {
  std::vector<std::string> names;
  for (const std::uint32_t index : checkpoint.weights().weights)
    names.push_back(checkpoint.entries[index].name);
  return names;
}

TEST_F(TorchZip, AStateDictHasItsTensorsInOrder) {
  const auto checkpoint = open(torch_zip(dict({{"b", tensor("0", 2)}, {"a", tensor("1", 1)}}),
                                         {{"0", floats({1, 2})}, {"1", floats({3})}}));
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->kind, CheckpointKind::state_dict);
  EXPECT_THAT(names_of(*checkpoint), ElementsAre("b", "a"));
  EXPECT_EQ(checkpoint->parameters(), 3U);
  EXPECT_EQ(as_text(checkpoint->entries[0].view.plain_bytes()), floats({1, 2}));
}

TEST_F(TorchZip, AViewStartsAtItsOffset) {
  const std::string half =
      call(global("torch._utils", "_rebuild_tensor_v2"),
           {storage("0", 4), number(2), tuple({number(2)}), tuple({number(1)}), kFalse, kNothing});
  const auto checkpoint = open(torch_zip(dict({{"half", half}}), {{"0", floats({1, 2, 3, 4})}}));
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(as_text(checkpoint->entries[0].view.plain_bytes()), floats({3, 4}));
}

TEST_F(TorchZip, ADictOfManyThingsHasItsWeightsUnderTheirKey) {
  const std::string weights = dict({{"w", tensor("0", 2)}});
  const auto checkpoint = open(torch_zip(
      dict({{"epoch", number(3)}, {"ema", dict({{"w", tensor("1", 2)}})}, {"model", weights}}),
      {{"0", floats({1, 2})}, {"1", floats({3, 4})}}));
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->weights().key, "model");
  EXPECT_EQ(checkpoint->kind, CheckpointKind::training_checkpoint);
  EXPECT_EQ(checkpoint->candidates.size(), 2U);
  EXPECT_FALSE(checkpoint->choice_reason.empty());
  EXPECT_EQ(checkpoint->training.values["epoch"], 3);
}

TEST_F(TorchZip, AKeyChoosesAndAnUnknownOneIsAnError) {
  const std::string file = torch_zip(
      dict({{"model", dict({{"w", tensor("0", 1)}})}, {"ema", dict({{"w", tensor("1", 1)}})}}),
      {{"0", floats({1})}, {"1", floats({2})}});
  EXPECT_EQ(open(file, {.key = "ema"})->weights().key, "ema");
  const auto unknown = open(file, {.key = "none"});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::usage);
  EXPECT_THAT(unknown.error().hint, HasSubstr("ema"));
}

TEST_F(TorchZip, ARecordThatIsMissingIsSaid) {
  const Error error = unread(torch_zip(dict({{"w", tensor("0", 2)}}), {{"1", floats({1, 2})}}));
  EXPECT_EQ(error.code, ErrorCode::truncated);
  EXPECT_THAT(error.what, HasSubstr("no record for storage 0"));
}

TEST_F(TorchZip, ARecordThatIsTooShortIsSaid) {
  const Error error = unread(torch_zip(dict({{"w", tensor("0", 2)}}), {{"0", floats({1})}}));
  EXPECT_EQ(error.code, ErrorCode::truncated);
  EXPECT_EQ(error.expected, "8 bytes");
  EXPECT_EQ(error.found, "4");
}

TEST_F(TorchZip, ARecordThatIsTooLongIsSaid) {
  const Error error = unread(torch_zip(dict({{"w", tensor("0", 1)}}), {{"0", floats({1, 2})}}));
  EXPECT_EQ(error.code, ErrorCode::inconsistent);
}

TEST_F(TorchZip, AViewPastItsStorageIsSaid) {
  const std::string past =
      call(global("torch._utils", "_rebuild_tensor_v2"),
           {storage("0", 2), number(1), tuple({number(2)}), tuple({number(1)}), kFalse, kNothing});
  EXPECT_EQ(unread(torch_zip(dict({{"w", past}}), {{"0", floats({1, 2})}})).code,
            ErrorCode::truncated);
}

TEST_F(TorchZip, ArgumentsThatAreNoTensorAreSaid) {
  const std::string broken = call(global("torch._utils", "_rebuild_tensor_v2"), {number(1)});
  EXPECT_EQ(unread(torch_zip(dict({{"w", broken}}), {})).code, ErrorCode::malformed);
}

TEST_F(TorchZip, AChainOfSizesIsNoShape) {
  const std::string size = global("torch", "Size");
  const auto with_shape = [](const std::string& shape) {
    return torch_zip(dict({{"w", call(global("torch._utils", "_rebuild_tensor_v2"),
                                      {storage("0", 2), number(0), shape, tuple({number(1)}),
                                       kFalse, kNothing})}}),
                     {{"0", floats({1, 2})}});
  };
  const auto plain = open(with_shape(call(size, {tuple({number(2)})})));
  ASSERT_TRUE(plain && plain->unread.empty());
  EXPECT_EQ(plain->entries[0].view.shape(), Shape({2}));
  std::string chain;  // deeper than any stack
  for (int i = 0; i < 200'000; ++i) chain += size + "(";
  chain += tuple({number(2)});
  for (int i = 0; i < 200'000; ++i) chain += "tR";
  EXPECT_EQ(unread(with_shape(chain)).code, ErrorCode::malformed);
}

TEST_F(TorchZip, WhatCanBeReadStandsBesideWhatCannot) {
  const auto checkpoint = open(
      torch_zip(dict({{"lost", tensor("9", 1)}, {"w", tensor("0", 1)}}), {{"0", floats({1})}}));
  ASSERT_TRUE(checkpoint);
  ASSERT_EQ(checkpoint->entries.size(), 2U);
  EXPECT_FALSE(checkpoint->entries[0].readable);
  EXPECT_TRUE(checkpoint->entries[1].readable);
}

TEST_F(TorchZip, AnArchiveOfOtherThingsIsNoCheckpoint) {
  const auto checkpoint =
      open(zip_builder::archive({zip_builder::stored("readme.txt", "hello")}).whole());
  ASSERT_FALSE(checkpoint);
  EXPECT_THAT(checkpoint.error().what, HasSubstr("a zip archive of other files: readme.txt"));
}

TEST_F(TorchZip, AFlippedBitIsFoundByItsChecksumOnlyWhenAskedFor) {
  std::string file = torch_zip(dict({{"w", tensor("0", 2)}}), {{"0", floats({1, 2})}});
  file[file.find(floats({1, 2}))] ^= 1;
  const auto is_bad = [](const Checkpoint& checkpoint) {
    for (const Oddity& oddity : checkpoint.oddities) {
      if (oddity.kind == Oddity::Kind::bad_checksum) return true;
    }
    return false;
  };
  EXPECT_FALSE(is_bad(*open(file)));
  EXPECT_TRUE(is_bad(*open(file, {.deep = true})));
}

TEST_F(TorchZip, DeflatedRecordsMayNotGrowWithoutBound) {
  std::vector<zip_builder::Record> records = {
      zip_builder::stored("archive/data.pkl", pickled(dict({{"w", tensor("0", 1 << 23)}})))};
  const std::string zeros(32 << 20, '\0');
  const zip_builder::Record bomb = zip_builder::deflated("", zeros);
  for (const char* key : {"0", "1", "2", "3"}) {
    records.push_back(bomb);
    records.back().local.name = records.back().central.name = std::string("archive/data/") + key;
  }
  const auto checkpoint = open(zip_builder::archive(records).whole());
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->owned.size(), 2U);  // 64 MiB and 40 times the file hold two of them
  EXPECT_TRUE(checkpoint->entries[0].readable);
}

TEST_F(TorchZip, NanIsFoundWhenAskedFor) {
  const std::string file =
      torch_zip(dict({{"w", tensor("0", 2)}}), {{"0", floats({std::nanf(""), 2})}});
  const auto checkpoint = open(file, {.deep = true});
  ASSERT_TRUE(checkpoint);
  bool found = false;
  for (const Oddity& oddity : checkpoint->oddities)
    found = found || oddity.kind == Oddity::Kind::not_finite;
  EXPECT_TRUE(found);
}

TEST_F(TorchZip, APackedTypeIsNotRead) {
  const std::string packed =
      call(global("torch._utils", "_rebuild_qtensor"),
           {storage("0", 1, "QUInt4x2Storage"), number(0), tuple({number(2)}), tuple({number(1)}),
            tuple({}), kFalse, kNothing});
  const Error error = unread(torch_zip(dict({{"q", packed}}), {{"0", std::string(1, '\0')}}));
  EXPECT_EQ(error.code, ErrorCode::unsupported);
  EXPECT_THAT(error.what, HasSubstr("quint4x2"));
}

TEST_F(TorchZip, AMetaTensorHasAShapeAndNoBytes) {
  const std::string meta =
      call(global("torch._utils", "_rebuild_meta_tensor_no_storage"),
           {global("torch", "float32"), tuple({number(1u << 20), number(1u << 20)}),
            tuple({number(1u << 20), number(1)}), kFalse});
  const auto checkpoint = open(torch_zip(dict({{"m", meta}}), {}));
  ASSERT_TRUE(checkpoint);
  EXPECT_THAT(checkpoint->entries[0].view.shape(), ElementsAre(1 << 20, 1 << 20));
  EXPECT_FALSE(checkpoint->entries[0].readable);
}

std::string complex_view(std::uint32_t size, std::uint32_t stride,
                         const std::vector<std::pair<std::string, std::string>>& bits) {
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              {storage("0", 1, "ComplexFloatStorage"), number(0), tuple({number(size)}),
               tuple({number(stride)}), kFalse, kNothing, dict(bits)});
}

TEST_F(TorchZip, AConjugatedViewIsResolvedAsItIsRead) {
  const auto checkpoint =
      open(torch_zip(dict({{"z", complex_view(1, 1, {{"conj", kTrue}})},
                           {"n", complex_view(3, 0, {{"conj", kTrue}, {"neg", kTrue}})}}),
                     {{"0", floats({1, 2})}}));
  ASSERT_TRUE(checkpoint);
  std::vector<std::uint8_t> buffer;
  const TensorView& conjugated = checkpoint->entries[0].view;
  EXPECT_EQ(as_text(conjugated.row_major_bytes(buffer)), floats({1, -2}));
  const TensorView& both = checkpoint->entries[1].view;
  EXPECT_EQ(as_text(both.row_major_bytes(buffer)), floats({-1, 2, -1, 2, -1, 2}));
  // Nothing was copied, however large the view is.
  EXPECT_TRUE(checkpoint->owned.empty());
  EXPECT_EQ(conjugated.storage().data(), both.storage().data());
  EXPECT_EQ(checkpoint->entries[0].note, "conjugate of what is stored");
}

TEST_F(TorchZip, ABitThatTorchDoesNotResolveIsRefused) {
  const std::string value = call(global("torch._utils", "_rebuild_tensor_v2"),
                                 {storage("0", 1), number(0), tuple({number(1)}),
                                  tuple({number(1)}), kFalse, kNothing, dict({{"conj", kTrue}})});
  EXPECT_EQ(unread(torch_zip(dict({{"w", value}}), {{"0", floats({1})}})).code,
            ErrorCode::malformed);
}

}  // namespace
}  // namespace samebits
