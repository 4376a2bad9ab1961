// What a file may describe by views, and what it may not.
#include "samebits/checkpoint/described_bytes.h"

#include <gmock/gmock.h>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/open.h"
#include "samebits/checkpoint/test_files.h"

namespace samebits {
namespace {

using testing::HasSubstr;
using namespace test_files;  // NOLINT: the vocabulary of these tests

constexpr auto kFloor = static_cast<std::int64_t>(kLimits.described_bytes);

TensorView repeated(std::int64_t count) {
  static const std::vector<std::uint8_t> one(1);
  return TensorView::make(DType::uint8, {count}, {0}, 0, one).value();
}

TEST(DescribedBytes, TheSumIsBounded) {
  const auto most = kFloor + 10 * static_cast<std::int64_t>(kLimits.described_factor);
  DescribedBytes described(10);
  EXPECT_TRUE(described.add(repeated(most - 5)));
  EXPECT_TRUE(described.add(repeated(5)));
  const auto full = described.add(repeated(1));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::limit);
  EXPECT_FALSE(DescribedBytes(10).add(repeated(most + 1)));
}

TEST(DescribedBytes, WhatIsRefusedLeavesRoomForTheRest) {
  DescribedBytes described(0);
  EXPECT_FALSE(described.add(repeated(kFloor + 1)));
  EXPECT_TRUE(described.add(repeated(kFloor)));
  EXPECT_FALSE(described.add(repeated(kFloor + 1)));  // known, and still refused
}

TEST(DescribedBytes, TiedWeightsCountOnce) {
  DescribedBytes described(0);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(described.add(repeated(kFloor)));
}

TEST(DescribedBytes, NoSumOverflows) {
  DescribedBytes described(~std::uint64_t{0});
  constexpr std::int64_t kHalf = std::int64_t{1} << 62;
  for (std::int64_t i = 0; i < 3; ++i) EXPECT_TRUE(described.add(repeated(kHalf + i)));
  EXPECT_FALSE(described.add(repeated(kHalf + 3)));
}

std::string expanded(std::uint32_t count) {
  return call(
      global("torch._utils", "_rebuild_tensor_v2"),
      {storage("0", 1), number(0), tuple({number(count)}), tuple({number(0)}), kFalse, kNothing});
}

TEST(DescribedBytes, AFileThatDescribesTooMuchSaysWhatWasNotRead) {
  const auto count = static_cast<std::uint32_t>(kFloor / 4);
  const Folder folder;
  const auto checkpoint =
      open_checkpoint(folder.write("file.pth", torch_zip(dict({{"mask", expanded(count)},
                                                               {"tied", expanded(count)},
                                                               {"bomb", expanded(count + 1)},
                                                               {"w", tensor("0", 1)}}),
                                                         {{"0", floats({1})}})));
  ASSERT_TRUE(checkpoint);
  ASSERT_EQ(checkpoint->entries.size(), 4U);
  ASSERT_EQ(checkpoint->unread.size(), 1U);
  EXPECT_EQ(checkpoint->unread[0].code, ErrorCode::limit);
  EXPECT_THAT(checkpoint->unread[0].what, HasSubstr("tensor bomb"));
  for (const StoredTensor& entry : checkpoint->entries)
    EXPECT_EQ(entry.readable, entry.path != "bomb") << entry.path;
  EXPECT_EQ(checkpoint->entries[2].view.numel(), count + 1);  // its shape is known all the same
}

}  // namespace
}  // namespace samebits
