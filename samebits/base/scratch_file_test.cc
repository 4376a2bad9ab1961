#include "samebits/base/scratch_file.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "samebits/base/test_folder.h"

namespace samebits {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

TEST(ScratchFile, PartsFollowOneAnotherAndTheFolderStaysEmpty) {
  const test_files::Folder folder;
  const auto scratch = ScratchFile::create(folder.path(), 10);
  ASSERT_TRUE(scratch) << to_string(scratch.error());
  const std::span<std::uint8_t> first = (*scratch)->take(4), rest = (*scratch)->take(6);
  EXPECT_THAT(rest, Each(0));
  first[3] = 7;
  rest[0] = 9;
  EXPECT_EQ(first.data() + 4, rest.data());
  EXPECT_EQ(first[3], 7);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(ScratchFile, NothingTakesNoFile) {
  const auto scratch = ScratchFile::create("/nowhere", 0);
  ASSERT_TRUE(scratch);
  EXPECT_TRUE((*scratch)->take(0).empty());
}

TEST(ScratchFile, WhatDoesNotFitIsAnError) {
  const test_files::Folder folder;
  const auto large = ScratchFile::create(folder.path(), std::uint64_t{1} << 60);
  ASSERT_FALSE(large);
  EXPECT_THAT(to_string(large.error()), HasSubstr("cannot keep 1152921504606846976 bytes"));
  const auto nowhere = ScratchFile::create(folder.path("nowhere"), 1);
  ASSERT_FALSE(nowhere);
  EXPECT_THAT(to_string(nowhere.error()), HasSubstr("cannot create a temporary file"));
}

}  // namespace
}  // namespace samebits
