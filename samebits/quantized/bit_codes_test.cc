#include "samebits/quantized/bit_codes.h"

#include <gmock/gmock.h>

#include "samebits/quantized/test_checkpoint.h"

namespace samebits {
namespace {

using ::testing::ElementsAre;

const TensorView& only_view(const TestCheckpoint& made) { return made.get().entries[0].view; }

std::vector<unsigned> codes_of_line(const BitCodes& codes, std::uint64_t line,
                                    std::uint64_t count) {
  std::vector<unsigned> found;
  for (std::uint64_t i = 0; i < count; ++i) found.push_back(codes.at(line, i));
  return found;
}

TEST(BitCodes, CodesOfThreeBitsCrossBytes) {
  TestCheckpoint made;
  made.add<std::uint8_t>("q", DType::uint8, {2, 3}, {0xfa, 0x12, 0x80, 0, 0, 0xe0});
  const auto codes = BitCodes::in_rows(only_view(made), 3);
  ASSERT_TRUE(codes);
  EXPECT_EQ(codes->codes(), 8U);
  // 1000 0000 0001 0010 1111 1010, from the right.
  EXPECT_THAT(codes_of_line(*codes, 0, 8), ElementsAre(2, 7, 3, 1, 1, 0, 0, 4));
  EXPECT_THAT(codes_of_line(*codes, 1, 8), ElementsAre(0, 0, 0, 0, 0, 0, 0, 7));
}

TEST(BitCodes, WordsOfAColumnFollowOneAnother) {
  TestCheckpoint made;
  made.add<std::uint32_t>("q", DType::int32, {2, 2}, {0x76543210, 1, 0xfedcba98, 2});
  const auto codes = BitCodes::in_columns(only_view(made), 4);
  ASSERT_TRUE(codes);
  EXPECT_EQ(codes->lines(), 2U);
  EXPECT_EQ(codes->codes(), 16U);
  EXPECT_THAT(codes_of_line(*codes, 0, 16),
              ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  EXPECT_EQ(codes->at(1, 8), 2U);
}

TEST(BitCodes, ACodeOfThreeBitsCrossesTheWordsOfAColumn) {
  TestCheckpoint made;
  made.add<std::uint32_t>("q", DType::int32, {3, 1}, {0xc0000000, 1, 0});
  const auto codes = BitCodes::in_columns(only_view(made), 3);
  ASSERT_TRUE(codes);
  EXPECT_EQ(codes->at(0, 10), 7U);  // bits 30 to 32
  EXPECT_EQ(codes->at(0, 11), 0U);
}

TEST(BitCodes, AnOrderSaysWhereNeighboursStand) {
  TestCheckpoint made;
  made.add<std::uint32_t>("q", DType::int32, {1, 1}, {0x75316420});
  EXPECT_THAT(codes_of_line(*BitCodes::in_rows(only_view(made), 4, kInterleaved), 0, 8),
              ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(codes_of_line(*BitCodes::in_one_line(only_view(made), 4, kHighFirst), 0, 4),
              ElementsAre(2, 0, 6, 4));
}

TEST(BitCodes, ATransposedMatrixIsCopied) {
  TestCheckpoint made;
  made.add<std::uint8_t>("q", DType::uint8, {2, 2}, {1, 2, 3, 4});
  const TensorView turned = only_view(made).transposed(0, 1);
  EXPECT_THAT(codes_of_line(*BitCodes::in_rows(turned, 8), 0, 2), ElementsAre(1, 3));
}

TEST(BitCodes, WhatHasNoCodesIsRefused) {
  TestCheckpoint made;
  made.add<std::uint8_t>("q", DType::uint8, {0, 2}, {});
  EXPECT_FALSE(BitCodes::in_rows(only_view(made), 4));
  TestCheckpoint bytes;
  bytes.add<std::uint8_t>("q", DType::uint8, {1, 2}, {1, 2});
  EXPECT_FALSE(BitCodes::in_rows(only_view(bytes), 9));
  EXPECT_FALSE(BitCodes::in_columns(only_view(bytes), 4));
}

}  // namespace
}  // namespace samebits
