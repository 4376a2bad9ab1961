#include "samebits/container/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "samebits/container/gguf_blocks.h"

namespace samebits {
namespace {

using ::testing::HasSubstr;

std::string little(std::uint64_t value, std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes; ++i) text += static_cast<char>(value >> 8 * i);
  return text;
}
std::string counted_text(const std::string& text) { return little(text.size(), 8) + text; }

std::string tensor_info(const std::string& name, const std::vector<std::uint64_t>& fastest_first,
                        std::uint32_t type, std::uint64_t offset) {
  std::string info = counted_text(name) + little(fastest_first.size(), 4);
  for (const std::uint64_t size : fastest_first) info += little(size, 8);
  return info + little(type, 4) + little(offset, 8);
}

/// A file of the given fields and tensors; `data` follows at a multiple of 32.
std::string gguf(std::size_t fields, std::size_t tensors, const std::string& header,
                 const std::string& data) {
  std::string file = "GGUF" + little(3, 4) + little(tensors, 8) + little(fields, 8) + header;
  file.resize((file.size() + 31) / 32 * 32);
  return file + data;
}

Result<GgufFile> open_gguf(const std::string& file) {
  return GgufFile::open({reinterpret_cast<const std::uint8_t*>(file.data()), file.size()},
                        "m.gguf");
}

TEST(Gguf, ReadsFieldsNamesShapesAndPlaces) {
  const std::string header = counted_text("a") + little(4, 4) + little(7, 4) +  //
                             counted_text("b") + little(8, 4) + counted_text("text") +
                             counted_text("c") + little(9, 4) + little(8, 4) + little(1, 8) +
                             counted_text("x") + tensor_info("w", {3, 2}, 0, 0) +
                             tensor_info("q", {32}, 8, 32);
  const auto file = open_gguf(gguf(3, 2, header, std::string(66, '\1')));
  ASSERT_TRUE(file) << to_string(file.error());
  EXPECT_EQ(file->fields, Json({{"a", 7}, {"b", "text"}}));
  ASSERT_EQ(file->tensors.size(), 2u);
  EXPECT_EQ(file->tensors[0].shape, Shape({2, 3}));
  EXPECT_EQ(file->tensors[0].end - file->tensors[0].begin, 24u);
  EXPECT_EQ(file->tensors[1].begin - file->tensors[0].begin, 32u);
  EXPECT_EQ(file->tensors[1].end - file->tensors[1].begin, 34u);
}

TEST(Gguf, LeavesOutTypesThatNobodyKnows) {
  const auto file = open_gguf(gguf(0, 1, tensor_info("w", {4}, 99, 0), ""));
  ASSERT_TRUE(file) << to_string(file.error());
  EXPECT_TRUE(file->tensors.empty());
  EXPECT_EQ(file->unknown, std::vector<std::string>{"w: type 99"});
}

TEST(Gguf, RefusesWhatDoesNotFit) {
  const std::string w = tensor_info("w", {4}, 0, 0), data(16, '\0');
  const auto says = [](const std::string& file) {
    const auto read = open_gguf(file);
    return read ? std::string("it was read") : to_string(read.error());
  };
  EXPECT_THAT(says(gguf(0, 1, w, data.substr(1))), HasSubstr("ends before the end of w"));
  EXPECT_THAT(says(gguf(0, 2, w + w, data)), HasSubstr("stands twice"));
  EXPECT_THAT(says(gguf(0, 2, w + tensor_info("v", {1}, 0, 12), data)),
              HasSubstr("lie in one another"));
  EXPECT_THAT(says(gguf(0, 1, tensor_info("w", {33}, 8, 0), std::string(68, '\0'))),
              HasSubstr("no blocks of 32"));
  EXPECT_THAT(says(gguf(0, 1, tensor_info("w", std::vector<std::uint64_t>(65, 1), 0, 0), data)),
              HasSubstr("65 dimensions"));
  EXPECT_THAT(says(gguf(0, 1, tensor_info("w", {1ull << 63}, 0, 0), data)), HasSubstr("no size"));
  EXPECT_THAT(
      says(gguf(1, 0, counted_text("general.alignment") + little(4, 4) + little(12, 4), "")),
      HasSubstr("power of two"));
  EXPECT_THAT(says(gguf(1, 0, counted_text("a") + little(13, 4), "")), HasSubstr("type 13"));
  EXPECT_THAT(says("GGUF" + little(1, 4)), HasSubstr("version 1"));
  EXPECT_THAT(says("GGUF" + std::string("\0\0\0\3", 4)), HasSubstr("big-endian"));
  EXPECT_THAT(says(gguf(1ull << 40, 0, "", "")), HasSubstr("more tensors or fields"));
}

TEST(GgufBlocks, ScalesSignedBytes) {
  std::vector<std::uint8_t> block(34, 0);
  block[1] = 0x3c;  // 1.0 in half precision
  block[2] = 0xff;
  block[33] = 7;
  std::vector<float> values(32);
  find_gguf_type(8)->dequantize(block.data(), values.data());
  EXPECT_EQ(values[0], -1.0f);
  EXPECT_EQ(values[1], 0.0f);
  EXPECT_EQ(values[31], 7.0f);
}

TEST(GgufBlocks, TakesLowNibblesBeforeHighOnes) {
  std::vector<std::uint8_t> block(18, 0x88);
  block[0] = 0;
  block[1] = 0x38;  // 0.5
  block[2] = 0xf0;
  std::vector<float> values(32);
  find_gguf_type(2)->dequantize(block.data(), values.data());
  EXPECT_EQ(values[0], -4.0f);
  EXPECT_EQ(values[16], 3.5f);
  EXPECT_EQ(values[1], 0.0f);
}

TEST(GgufBlocks, GroupsOfTheGridHaveAnEvenNumberOfMinusSigns) {
  std::vector<std::uint8_t> block(66, 0);
  block[1] = 0x3c;  // 1.0
  block[2] = 1;     // entry 1 of the grid: its first element is 43
  block[6] = 0x01;  // the first element is negative, so the eighth is, too
  std::vector<float> values(256);
  find_gguf_type(16)->dequantize(block.data(), values.data());
  EXPECT_EQ(values[0], -43.0F / 8);
  EXPECT_EQ(values[1], 8.0F / 8);
  EXPECT_EQ(values[7], -8.0F / 8);
  EXPECT_EQ(values[8], 8.0F / 8);
}

TEST(GgufBlocks, TheScaleOfIq1MIsPutTogetherFromFourPlaces) {
  std::vector<std::uint8_t> block(56, 0);
  block[53] = 0xc0;
  block[55] = 0x30;  // 0x3c00, 1.0: the lowest four bits come first
  std::vector<float> values(256);
  find_gguf_type(29)->dequantize(block.data(), values.data());
  EXPECT_EQ(values[0], -0.875F);
  block[32] = 0x08;
  find_gguf_type(29)->dequantize(block.data(), values.data());
  EXPECT_EQ(values[0], -1.125F);
  EXPECT_EQ(values[8], -0.875F);
}

}  // namespace
}  // namespace samebits
