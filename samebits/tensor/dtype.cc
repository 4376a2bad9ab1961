#include "samebits/tensor/dtype.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"

namespace samebits {
namespace {

using F = DTypeFamily;
using D = DType;

// In the order of the enum.
constexpr auto kTable = std::to_array<DTypeInfo>({
    {D::float64, F::floating, 8, "float64", "F64", "DoubleStorage"},
    {D::float32, F::floating, 4, "float32", "F32", "FloatStorage"},
    {D::float16, F::floating, 2, "float16", "F16", "HalfStorage"},
    {D::bfloat16, F::floating, 2, "bfloat16", "BF16", "BFloat16Storage"},
    {D::complex128, F::complex, 16, "complex128", "", "ComplexDoubleStorage"},
    {D::complex64, F::complex, 8, "complex64", "C64", "ComplexFloatStorage"},
    {D::complex32, F::complex, 4, "complex32", "", ""},
    {D::float8_e4m3fn, F::floating, 1, "float8_e4m3fn", "F8_E4M3", ""},
    {D::float8_e4m3fnuz, F::floating, 1, "float8_e4m3fnuz", "F8_E4M3FNUZ", ""},
    {D::float8_e5m2, F::floating, 1, "float8_e5m2", "F8_E5M2", ""},
    {D::float8_e5m2fnuz, F::floating, 1, "float8_e5m2fnuz", "F8_E5M2FNUZ", ""},
    {D::float8_e8m0fnu, F::floating, 1, "float8_e8m0fnu", "F8_E8M0", ""},
    {D::float4_e2m1fn_x2, F::floating, 1, "float4_e2m1fn_x2", "F4", ""},
    {D::int64, F::integer, 8, "int64", "I64", "LongStorage"},
    {D::int32, F::integer, 4, "int32", "I32", "IntStorage"},
    {D::int16, F::integer, 2, "int16", "I16", "ShortStorage"},
    {D::int8, F::integer, 1, "int8", "I8", "CharStorage"},
    {D::uint64, F::integer, 8, "uint64", "U64", ""},
    {D::uint32, F::integer, 4, "uint32", "U32", ""},
    {D::uint16, F::integer, 2, "uint16", "U16", ""},
    {D::uint8, F::integer, 1, "uint8", "U8", "ByteStorage"},
    {D::boolean, F::boolean, 1, "bool", "BOOL", "BoolStorage"},
    {D::qint8, F::quantized, 1, "qint8", "", "QInt8Storage"},
    {D::quint8, F::quantized, 1, "quint8", "", "QUInt8Storage"},
    {D::qint32, F::quantized, 4, "qint32", "", "QInt32Storage"},
    {D::quint4x2, F::quantized, 1, "quint4x2", "", "QUInt4x2Storage"},
    {D::quint2x4, F::quantized, 1, "quint2x4", "", "QUInt2x4Storage"},
    {D::bits8, F::bits, 1, "bits8", "", ""},
    {D::bits16, F::bits, 2, "bits16", "", ""},
    {D::bits1x8, F::bits, 1, "bits1x8", "", ""},
    {D::bits2x4, F::bits, 1, "bits2x4", "", ""},
    {D::bits4x2, F::bits, 1, "bits4x2", "", ""},
    {D::int1, F::integer, 1, "int1", "", ""},
    {D::int2, F::integer, 1, "int2", "", ""},
    {D::int3, F::integer, 1, "int3", "", ""},
    {D::int4, F::integer, 1, "int4", "", ""},
    {D::int5, F::integer, 1, "int5", "", ""},
    {D::int6, F::integer, 1, "int6", "", ""},
    {D::int7, F::integer, 1, "int7", "", ""},
    {D::uint1, F::integer, 1, "uint1", "", ""},
    {D::uint2, F::integer, 1, "uint2", "", ""},
    {D::uint3, F::integer, 1, "uint3", "", ""},
    {D::uint4, F::integer, 1, "uint4", "", ""},
    {D::uint5, F::integer, 1, "uint5", "", ""},
    {D::uint6, F::integer, 1, "uint6", "", ""},
    {D::uint7, F::integer, 1, "uint7", "", ""},
});

constexpr bool table_follows_enum() {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<std::size_t>(kTable[i].dtype) != i) return false;
  }
  return static_cast<std::size_t>(D::uint7) + 1 == kTable.size();
}
static_assert(table_follows_enum());

struct Alias {
  std::string_view name;
  DType dtype;
};
constexpr Alias kAliases[] = {
    {"double", D::float64},   {"float", D::float32},      {"half", D::float16},
    {"cfloat", D::complex64}, {"cdouble", D::complex128}, {"chalf", D::complex32},
    {"long", D::int64},       {"int", D::int32},          {"short", D::int16},
    {"bit", D::uint1},
};

std::optional<DType> find(std::string_view name, std::string_view DTypeInfo::* column) {
  if (name.empty()) return std::nullopt;
  const auto row = std::find_if(kTable.begin(), kTable.end(),
                                [&](const DTypeInfo& i) { return i.*column == name; });
  if (row == kTable.end()) return std::nullopt;
  return row->dtype;
}

// A binary float with a sign bit: what the codes with the highest exponent, and minus zero, mean.
enum class Special {
  ieee,    // infinities and NaNs, as IEEE 754
  finite,  // "fn": only the codes of all ones are NaN
  fnuz,    // no infinity, no minus zero: its code is the only NaN
};

double minifloat(unsigned code, int exponent_bits, int mantissa_bits, int bias, Special special) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const unsigned mantissa = code & ((1u << mantissa_bits) - 1);
  const unsigned top = (1u << exponent_bits) - 1;
  const unsigned exponent = (code >> mantissa_bits) & top;
  const bool negative = (code >> (mantissa_bits + exponent_bits)) & 1u;
  if (special == Special::fnuz && negative && exponent == 0 && mantissa == 0) return nan;
  if (special == Special::finite && exponent == top && mantissa == (1u << mantissa_bits) - 1) {
    return nan;
  }
  double magnitude = 0;
  if (special == Special::ieee && exponent == top) {
    magnitude = mantissa != 0 ? nan : std::numeric_limits<double>::infinity();
  } else if (exponent == 0) {
    magnitude = std::ldexp(mantissa, 1 - bias - mantissa_bits);
  } else {
    const std::uint64_t widened = exponent + 1023u - static_cast<unsigned>(bias);
    magnitude =
        std::bit_cast<double>(widened << 52 | std::uint64_t{mantissa} << (52 - mantissa_bits));
  }
  return negative ? -magnitude : magnitude;
}

double power_of_two(std::uint8_t code) {
  return code == 0xFF ? std::numeric_limits<double>::quiet_NaN() : std::ldexp(1.0, code - 127);
}

double float_as_double(DType dtype, const std::uint8_t* p) {
  switch (dtype) {
    case D::float64: return std::bit_cast<double>(load_u64le(p));
    case D::float32: return std::bit_cast<float>(load_u32le(p));
    case D::bfloat16: return std::bit_cast<float>(std::uint32_t{load_u16le(p)} << 16);
    case D::float16: return minifloat(load_u16le(p), 5, 10, 15, Special::ieee);
    case D::float8_e4m3fn: return minifloat(*p, 4, 3, 7, Special::finite);
    case D::float8_e4m3fnuz: return minifloat(*p, 4, 3, 8, Special::fnuz);
    case D::float8_e5m2: return minifloat(*p, 5, 2, 15, Special::ieee);
    case D::float8_e5m2fnuz: return minifloat(*p, 5, 2, 16, Special::fnuz);
    case D::float8_e8m0fnu: return power_of_two(*p);
    default: break;
  }
  SAMEBITS_CHECK(has_element_values(dtype));
  return 0;
}

}  // namespace

const DTypeInfo& info(DType dtype) {
  SAMEBITS_CHECK(static_cast<std::size_t>(dtype) < kTable.size());
  return kTable[static_cast<std::size_t>(dtype)];
}

std::optional<DType> dtype_from_torch(std::string_view name) {
  for (const Alias& alias : kAliases) {
    if (alias.name == name) return alias.dtype;
  }
  return find(name, &DTypeInfo::torch);
}
std::optional<DType> dtype_from_safetensors(std::string_view name) {
  return find(name, &DTypeInfo::safetensors);
}
std::optional<DType> dtype_from_storage(std::string_view name) {
  return find(name, &DTypeInfo::storage);
}

bool has_element_values(DType dtype) {
  switch (info(dtype).family) {
    case F::floating: return dtype != D::float4_e2m1fn_x2;
    case F::integer: return dtype < D::int1;
    case F::boolean: return true;
    default: return false;
  }
}

double element_as_double(DType dtype, const std::uint8_t* p) {
  switch (dtype) {
    case D::int64: return static_cast<double>(static_cast<std::int64_t>(load_u64le(p)));
    case D::int32: return static_cast<std::int32_t>(load_u32le(p));
    case D::int16: return static_cast<std::int16_t>(load_u16le(p));
    case D::int8: return static_cast<std::int8_t>(*p);
    case D::uint64: return static_cast<double>(load_u64le(p));
    case D::uint32: return load_u32le(p);
    case D::uint16: return load_u16le(p);
    case D::uint8: return *p;
    case D::boolean: return *p != 0 ? 1 : 0;
    default: return float_as_double(dtype, p);
  }
}

}  // namespace samebits
