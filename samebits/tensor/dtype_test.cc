#include "samebits/tensor/dtype.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace samebits {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::vector<DType> all_dtypes() {
  std::vector<DType> all;
  for (int i = 0; i <= static_cast<int>(DType::uint7); ++i) all.push_back(static_cast<DType>(i));
  return all;
}

template <class T>
double value(DType dtype, T bits) {
  std::uint8_t bytes[sizeof(T)];
  for (std::size_t i = 0; i < sizeof(T); ++i) bytes[i] = static_cast<std::uint8_t>(bits >> (8 * i));
  return element_as_double(dtype, bytes);
}

void expect_same(double actual, double expected, unsigned code) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(actual)) << code;
  } else {
    EXPECT_EQ(std::bit_cast<std::uint64_t>(actual), std::bit_cast<std::uint64_t>(expected)) << code;
  }
}

// Walks the codes from zero upwards: each step adds one unit, which doubles with every exponent.
// `finite` codes are numbers; what follows is `beyond`, then NaN.
void expect_minifloat(DType dtype, int bits, int mantissa_bits, double unit, unsigned finite,
                      double beyond, bool negative_zero_is_nan) {
  const unsigned half = 1u << (bits - 1);
  double magnitude = 0;
  for (unsigned code = 0; code < half; ++code) {
    const double expected = code < finite ? magnitude : code == finite ? beyond : kNaN;
    const auto as_double = [&](unsigned c) {
      return bits == 8 ? value(dtype, static_cast<std::uint8_t>(c))
                       : value(dtype, static_cast<std::uint16_t>(c));
    };
    expect_same(as_double(code), expected, code);
    expect_same(as_double(code | half), negative_zero_is_nan && code == 0 ? kNaN : -expected,
                code | half);
    const unsigned exponent = (code >> mantissa_bits);
    magnitude += exponent <= 1 ? unit : unit * std::ldexp(1.0, static_cast<int>(exponent) - 1);
  }
}

TEST(DType, NamesAreUniqueAndFoundAgain) {
  std::set<std::string_view> names;
  for (const DType dtype : all_dtypes()) {
    const DTypeInfo& i = info(dtype);
    EXPECT_EQ(i.dtype, dtype);
    EXPECT_TRUE(names.insert(i.torch).second) << i.torch;
    EXPECT_EQ(dtype_from_torch(i.torch), dtype);
    if (!i.safetensors.empty()) {
      EXPECT_EQ(dtype_from_safetensors(i.safetensors), dtype);
    }
    if (!i.storage.empty()) {
      EXPECT_EQ(dtype_from_storage(i.storage), dtype);
    }
  }
}

TEST(DType, AliasesAreTorchs) {
  EXPECT_EQ(dtype_from_torch("half"), DType::float16);
  EXPECT_EQ(dtype_from_torch("float"), DType::float32);
  EXPECT_EQ(dtype_from_torch("double"), DType::float64);
  EXPECT_EQ(dtype_from_torch("chalf"), DType::complex32);
  EXPECT_EQ(dtype_from_torch("cfloat"), DType::complex64);
  EXPECT_EQ(dtype_from_torch("cdouble"), DType::complex128);
  EXPECT_EQ(dtype_from_torch("short"), DType::int16);
  EXPECT_EQ(dtype_from_torch("int"), DType::int32);
  EXPECT_EQ(dtype_from_torch("long"), DType::int64);
  EXPECT_EQ(dtype_from_torch("bit"), DType::uint1);
  EXPECT_EQ(dtype_from_torch("bool"), DType::boolean);
}

TEST(DType, UnknownNamesAreNothing) {
  EXPECT_FALSE(dtype_from_torch("float128"));
  EXPECT_FALSE(dtype_from_torch(""));
  EXPECT_FALSE(dtype_from_safetensors("F6_E2M3"));
  EXPECT_FALSE(dtype_from_safetensors(""));
  EXPECT_FALSE(dtype_from_storage("UntypedStorage"));
  EXPECT_FALSE(dtype_from_storage(""));
}

TEST(DType, ItemsizesAreTorchs) {
  EXPECT_EQ(itemsize(DType::complex128), 16u);
  EXPECT_EQ(itemsize(DType::complex32), 4u);
  EXPECT_EQ(itemsize(DType::float4_e2m1fn_x2), 1u);
  EXPECT_EQ(itemsize(DType::qint32), 4u);
  EXPECT_EQ(itemsize(DType::bits16), 2u);
  EXPECT_EQ(itemsize(DType::int7), 1u);
}

TEST(ElementAsDouble, Float16) {
  expect_minifloat(DType::float16, 16, 10, 0x1p-24, 0x7C00, kInf, false);
}
TEST(ElementAsDouble, BFloat16) {
  expect_minifloat(DType::bfloat16, 16, 7, 0x1p-133, 0x7F80, kInf, false);
}
TEST(ElementAsDouble, Float8E5M2) {
  expect_minifloat(DType::float8_e5m2, 8, 2, 0x1p-16, 0x7C, kInf, false);
}
TEST(ElementAsDouble, Float8E4M3FN) {
  expect_minifloat(DType::float8_e4m3fn, 8, 3, 0x1p-9, 0x7F, kNaN, false);
}
TEST(ElementAsDouble, Float8E5M2FNUZ) {
  expect_minifloat(DType::float8_e5m2fnuz, 8, 2, 0x1p-17, 0x80, kNaN, true);
}
TEST(ElementAsDouble, Float8E4M3FNUZ) {
  expect_minifloat(DType::float8_e4m3fnuz, 8, 3, 0x1p-10, 0x80, kNaN, true);
}
TEST(ElementAsDouble, LargestFiniteNumbersAreThePublishedOnes) {
  EXPECT_EQ(value<std::uint16_t>(DType::float16, 0x7BFF), 65504);
  EXPECT_EQ(value<std::uint8_t>(DType::float8_e4m3fn, 0x7E), 448);
  EXPECT_EQ(value<std::uint8_t>(DType::float8_e5m2, 0x7B), 57344);
  EXPECT_EQ(value<std::uint8_t>(DType::float8_e4m3fnuz, 0x7F), 240);
  EXPECT_EQ(value<std::uint8_t>(DType::float8_e5m2fnuz, 0x7F), 57344);
}
TEST(ElementAsDouble, Float8E8M0IsAPowerOfTwo) {
  double power = 0x1p-127;
  for (unsigned code = 0; code < 0xFF; ++code, power *= 2) {
    expect_same(value(DType::float8_e8m0fnu, static_cast<std::uint8_t>(code)), power, code);
  }
  EXPECT_TRUE(std::isnan(value<std::uint8_t>(DType::float8_e8m0fnu, 0xFF)));
}
TEST(ElementAsDouble, Float32AndFloat64) {
  EXPECT_EQ(value(DType::float32, std::bit_cast<std::uint32_t>(1.1f)), double{1.1f});
  EXPECT_EQ(value(DType::float64, std::bit_cast<std::uint64_t>(1.1)), 1.1);
}
TEST(ElementAsDouble, Integers) {
  EXPECT_EQ(value<std::uint8_t>(DType::int8, 0x80), -128);
  EXPECT_EQ(value<std::uint8_t>(DType::uint8, 0x80), 128);
  EXPECT_EQ(value<std::uint16_t>(DType::int16, 0x8000), -32768);
  EXPECT_EQ(value<std::uint16_t>(DType::uint16, 0x8000), 32768);
  EXPECT_EQ(value<std::uint32_t>(DType::int32, 0xFFFFFFFF), -1);
  EXPECT_EQ(value<std::uint32_t>(DType::uint32, 0xFFFFFFFF), 4294967295.0);
  EXPECT_EQ(value<std::uint64_t>(DType::int64, ~0ull), -1);
  EXPECT_EQ(value<std::uint64_t>(DType::uint64, ~0ull), 0x1p64);
}
TEST(ElementAsDouble, AnyNonzeroByteIsTrue) {
  EXPECT_EQ(value<std::uint8_t>(DType::boolean, 0), 0);
  EXPECT_EQ(value<std::uint8_t>(DType::boolean, 2), 1);
}
TEST(ElementAsDouble, IsDefinedForTheTypesThatSaySo) {
  const std::uint8_t zeros[16] = {};
  for (const DType dtype : all_dtypes()) {
    if (has_element_values(dtype)) {
      EXPECT_GE(element_as_double(dtype, zeros), 0);
    }
  }
  EXPECT_FALSE(has_element_values(DType::complex64));
  EXPECT_FALSE(has_element_values(DType::float4_e2m1fn_x2));
  EXPECT_FALSE(has_element_values(DType::qint8));
  EXPECT_FALSE(has_element_values(DType::bits8));
  EXPECT_FALSE(has_element_values(DType::uint4));
  EXPECT_TRUE(has_element_values(DType::boolean));
}
TEST(ElementAsDoubleDeathTest, RefusesOtherTypes) {
  EXPECT_DEATH(value<std::uint8_t>(DType::uint4, 1), "has_element_values");
}

}  // namespace
}  // namespace samebits
