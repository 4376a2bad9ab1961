#include "samebits/container/safetensors_writer.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "samebits/base/mapped_file.h"
#include "samebits/container/safetensors.h"

namespace samebits {
namespace {

class WriteSafetensors : public testing::Test {
 protected:
  std::string path_ =
      (std::filesystem::temp_directory_path() / ("samebits-writer-" + std::to_string(getpid())))
          .string();
  void TearDown() override { std::filesystem::remove(path_); }
};

TEST_F(WriteSafetensors, WhatIsWrittenIsRead) {
  const std::vector<std::uint8_t> first = {0, 0, 128, 63, 0, 0, 0, 64};
  const std::vector<std::uint8_t> second = {1, 2};
  ASSERT_TRUE(write_safetensors(path_,
                                {{"a", DType::float32, {2}, first},
                                 {"b.c", DType::uint8, {1, 2}, second},
                                 {"empty", DType::int64, {0}, {}}},
                                {{"format", "pt"}}));
  const auto file = MappedFile::open(path_);
  ASSERT_TRUE(file);
  const auto read = SafetensorsFile::open((*file)->bytes(), path_);
  ASSERT_TRUE(read) << to_string(read.error());
  ASSERT_EQ(read->entries.size(), 3U);
  EXPECT_EQ(read->entries[0].name, "a");
  EXPECT_EQ(read->entries[0].begin % 64, 0U);
  EXPECT_EQ(read->metadata.at(0).second, "pt");
}

TEST_F(WriteSafetensors, TensorsBeginAtAMultipleOf64Bytes) {
  const std::vector<std::uint8_t> bytes(64, 7);
  ASSERT_TRUE(write_safetensors(path_, {{"a", DType::uint8, {64}, bytes}}, {}));
  EXPECT_EQ(std::filesystem::file_size(path_) % 64, 0U);
}

TEST_F(WriteSafetensors, ANameTwiceIsAnErrorAndWritesNothing) {
  const auto written =
      write_safetensors(path_, {{"a", DType::uint8, {0}, {}}, {"a", DType::uint8, {0}, {}}}, {});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::inconsistent);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(WriteSafetensors, AFolderThatIsNotThereIsAnError) {
  EXPECT_EQ(write_safetensors("/nowhere/file", {}, {}).error().code, ErrorCode::io);
}

}  // namespace
}  // namespace samebits
