#include "samebits/compare/rounding.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>

namespace samebits {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(RoundTo, TiesGoToEven) {
  EXPECT_EQ(round_to(DType::bfloat16, 1 + 0x1p-8), 1);
  EXPECT_EQ(round_to(DType::bfloat16, 1 + 3 * 0x1p-8), 1 + 0x1p-6);
  EXPECT_EQ(round_to(DType::float16, 1 + 0x1p-11), 1);
  EXPECT_EQ(round_to(DType::float16, 1 + 3 * 0x1p-11), 1 + 0x1p-9);
  EXPECT_EQ(round_to(DType::float8_e4m3fn, 1.0625), 1);
  EXPECT_EQ(round_to(DType::float8_e5m2, 1.125), 1);
}

TEST(RoundTo, KeepsSubnormals) {
  EXPECT_EQ(round_to(DType::float16, 0x1p-24), 0x1p-24);
  EXPECT_EQ(round_to(DType::float16, 0x1p-25), 0);
  EXPECT_EQ(round_to(DType::float16, 0x1.8p-25), 0x1p-24);
  EXPECT_EQ(round_to(DType::float8_e4m3fn, 0x1p-9), 0x1p-9);
  EXPECT_EQ(round_to(DType::float8_e5m2, 0x1p-16), 0x1p-16);
}

TEST(RoundTo, OverflowsAsTheTypeDoes) {
  EXPECT_EQ(round_to(DType::float16, 65519), 65504);
  EXPECT_EQ(round_to(DType::float16, 65520), kInfinity);
  EXPECT_EQ(round_to(DType::float16, -1e9), -kInfinity);
  EXPECT_EQ(round_to(DType::bfloat16, 3.4e38), kInfinity);
  EXPECT_TRUE(std::isnan(round_to(DType::float8_e4m3fn, 1000)));
  EXPECT_EQ(saturated(DType::float8_e4m3fn, -1000), -448);
  EXPECT_TRUE(std::isnan(saturated(DType::float8_e4m3fn, 460)));
  EXPECT_TRUE(std::isnan(saturated(DType::float8_e5m2, 1e6)));
  EXPECT_EQ(round_to(DType::float8_e5m2, 1e9), kInfinity);
}

TEST(RoundTo, KeepsTheSignOfZeroWhereThereIsOne) {
  EXPECT_TRUE(std::signbit(round_to(DType::float16, -0x1p-30)));
  EXPECT_TRUE(std::signbit(round_to(DType::bfloat16, -0.0)));
  EXPECT_FALSE(std::signbit(round_to(DType::float8_e4m3fnuz, -0.0)));
}

TEST(RoundTo, NanStaysNan) {
  for (const DType type : {DType::float32, DType::bfloat16, DType::float16, DType::float8_e5m2})
    EXPECT_TRUE(std::isnan(round_to(type, std::nan(""))));
}

// Every value of a narrow type is its own rounding.
TEST(RoundTo, IsTheIdentityOnItsType) {
  for (const DType type : {DType::bfloat16, DType::float16}) {
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
      const std::uint8_t bytes[2] = {static_cast<std::uint8_t>(bits),
                                     static_cast<std::uint8_t>(bits >> 8)};
      const double value = element_as_double(type, bytes);
      if (!std::isnan(value)) {
        ASSERT_EQ(round_to(type, value), value) << bits;
      }
    }
  }
  for (const DType type :
       {DType::float8_e4m3fn, DType::float8_e5m2, DType::float8_e4m3fnuz, DType::float8_e5m2fnuz}) {
    for (std::uint32_t bits = 0; bits < 0x100; ++bits) {
      const auto byte = static_cast<std::uint8_t>(bits);
      const double value = element_as_double(type, &byte);
      if (!std::isnan(value)) {
        ASSERT_EQ(round_to(type, value), value) << bits;
      }
    }
  }
}

}  // namespace
}  // namespace samebits
