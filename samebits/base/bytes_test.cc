#include "samebits/base/bytes.h"

#include <array>
#include <limits>

#include <gtest/gtest.h>

namespace samebits {
namespace {

constexpr std::array<std::uint8_t, 9> kBytes = {0x01, 0x02, 0x03, 0x04, 0x05,
                                                0x06, 0x07, 0x08, '\n'};

TEST(Bytes, CheckedAddRefusesWhatDoesNotFit) {
  std::uint64_t sum = 0;
  EXPECT_TRUE(checked_add(2, 3, &sum));
  EXPECT_EQ(sum, 5u);
  EXPECT_FALSE(checked_add(std::numeric_limits<std::uint64_t>::max(), 1, &sum));
}

TEST(Bytes, CheckedMulRefusesWhatDoesNotFit) {
  std::uint64_t product = 0;
  EXPECT_TRUE(checked_mul(1ull << 32, (1ull << 32) - 1, &product));
  EXPECT_EQ(product, 0xFFFFFFFF00000000ull);
  EXPECT_FALSE(checked_mul(1ull << 32, 1ull << 32, &product));
}

TEST(ByteReader, ReadsLittleEndian) {
  ByteReader reader(kBytes, "f");
  EXPECT_EQ(reader.u8("x").value(), 0x01);
  EXPECT_EQ(reader.u16("x").value(), 0x0302);
  EXPECT_EQ(reader.u32("x").value(), 0x07060504u);
  EXPECT_EQ(ByteReader(kBytes, "f").u64("x").value(), 0x0807060504030201u);
}

TEST(ByteReader, AFailedReadNamesThePlaceAndDoesNotMove) {
  ByteReader reader(kBytes, "model.pth", 100);
  ASSERT_TRUE(reader.seek(6));
  const auto value = reader.u32("the count");
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, ErrorCode::truncated);
  EXPECT_EQ(to_string(value.error()),
            "model.pth: byte 106: the count is cut off (expected 4 bytes, found 3)");
  EXPECT_EQ(reader.position(), 6u);
}

TEST(ByteReader, TakesAHugeCountWithoutOverflow) {
  ByteReader reader(kBytes, "f");
  ASSERT_TRUE(reader.seek(1));
  EXPECT_FALSE(reader.take(std::numeric_limits<std::uint64_t>::max(), "x"));
}

TEST(ByteReader, SeeksToTheEndButNotPastIt) {
  ByteReader reader(kBytes, "f");
  EXPECT_TRUE(reader.seek(9));
  EXPECT_EQ(reader.remaining(), 0u);
  const auto past = reader.seek(10);
  ASSERT_FALSE(past);
  EXPECT_EQ(past.error().code, ErrorCode::truncated);
  EXPECT_EQ(reader.position(), 9u);
}

TEST(ByteReader, ReadsALineAndConsumesItsEnd) {
  ByteReader reader(kBytes, "f");
  EXPECT_EQ(reader.line("x").value().size(), 8u);
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(ByteReader, ALineWithoutEndIsTruncated) {
  ByteReader reader(Bytes(kBytes).first(4), "f");
  const auto line = reader.line("the name");
  ASSERT_FALSE(line);
  EXPECT_EQ(line.error().code, ErrorCode::truncated);
  EXPECT_EQ(reader.position(), 0u);
}

}  // namespace
}  // namespace samebits
