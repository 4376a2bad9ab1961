#include "samebits/compare/rounding.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "samebits/base/error.h"
#include "samebits/compare/stats_loops.h"

namespace samebits {
namespace {

struct Format {
  int mantissa;      // bits after the leading one
  int min_exponent;  // of the smallest normal number
  double largest;
  bool has_infinity;
  bool has_minus_zero;
};

Format format_of(DType type) {
  switch (type) {
    case DType::float32: return {23, -126, std::numeric_limits<float>::max(), true, true};
    case DType::bfloat16: return {7, -126, 0x1.FEp127, true, true};
    case DType::float16: return {10, -14, 65504, true, true};
    case DType::float8_e4m3fn: return {3, -6, 448, false, true};
    case DType::float8_e5m2: return {2, -14, 57344, true, true};
    case DType::float8_e4m3fnuz: return {3, -7, 240, false, false};
    case DType::float8_e5m2fnuz: return {2, -15, 57344, false, false};
    default: SAMEBITS_CHECK(type == DType::float64); return {52, -1022, 0, true, true};
  }
}

double round_generic(const Format& format, double value) {
  if (!std::isfinite(value)) {
    return format.has_infinity ? value : std::numeric_limits<double>::quiet_NaN();
  }
  if (value == 0) return format.has_minus_zero ? value : 0.0;
  const int exponent = std::max(std::ilogb(value), format.min_exponent);
  const double unit = std::ldexp(1.0, exponent - format.mantissa);
  const double rounded = std::nearbyint(value / unit) * unit;
  if (std::fabs(rounded) > format.largest) {
    return format.has_infinity ? std::copysign(std::numeric_limits<double>::infinity(), value)
                               : std::numeric_limits<double>::quiet_NaN();
  }
  return rounded == 0 && !format.has_minus_zero ? 0.0 : rounded;
}

// Both take a value that is exact in float32.
double round_to_bfloat16(float value) {
  std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return value;
  bits += 0x7FFF + ((bits >> 16) & 1);
  return std::bit_cast<float>(bits & 0xFFFF0000u);
}

double round_to_float16(float value) {
  const float size = std::fabs(value);
  if (!(size < 65520.0F))  // the first that rounds to infinity; NaN too
    return std::isnan(value) ? value : std::copysign(std::numeric_limits<float>::infinity(), value);
  if (size < 0x1p-14F) {  // subnormal there: multiples of 2^-24
    return std::copysign((size * 0x1p24F + 0x1p23F) - 0x1p23F, value) * 0x1p-24;
  }
  std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  bits += 0x0FFF + ((bits >> 13) & 1);
  return std::bit_cast<float>(bits & 0xFFFFE000u);
}

}  // namespace

double round_to(DType type, double value) {
  if (type == DType::float64) return value;
  if (type == DType::float32) return static_cast<float>(value);
  const auto single = static_cast<float>(value);
  if (type == DType::bfloat16) return round_to_bfloat16(single);
  if (type == DType::float16) return round_to_float16(single);
  return round_generic(format_of(type), single);
}

double saturated(DType type, double value) {
  const bool is_beyond = type == DType::float8_e4m3fn && std::isnan(round_to(type, value));
  return is_beyond && !std::isnan(value) ? std::copysign(format_of(type).largest, value)
                                         : std::numeric_limits<double>::quiet_NaN();
}

void round_all(DType type, std::span<double> numbers) {
  if (type == DType::float64) return;
  if (type == DType::float32) {
    for (double& number : numbers) number = static_cast<float>(number);
    return;
  }
  const Format format = format_of(type);
  const auto bits = [](double value) {
    return std::bit_cast<std::uint32_t>(static_cast<float>(value));
  };
  // bfloat16 has float's exponents, and with them its subnormals.
  const RoundingForm form{
      .mantissa = format.mantissa,
      .smallest = type == DType::bfloat16 ? 0 : bits(std::ldexp(1.0, format.min_exponent)),
      .largest = bits(format.largest),
      .has_infinity = format.has_infinity,
      .has_minus_zero = format.has_minus_zero};
  std::array<double, kLoopRun> rounded;
  for (std::size_t at = 0; at < numbers.size(); at += kLoopRun) {
    const std::size_t count = std::min(kLoopRun, numbers.size() - at);
    stats_loops().round(form, numbers.data() + at, count, rounded.data());
    std::copy_n(rounded.begin(), count, numbers.begin() + static_cast<std::ptrdiff_t>(at));
  }
}

double half_spacing(DType type) {
  switch (type) {
    case DType::float64: return std::ldexp(1.0, -53);
    case DType::float32: return std::ldexp(1.0, -24);
    case DType::float16: return std::ldexp(1.0, -11);
    case DType::bfloat16: return std::ldexp(1.0, -8);
    default: return 0;
  }
}

bool can_round_to(DType type) {
  return is_floating(type) && has_element_values(type) && type != DType::float8_e8m0fnu;
}

std::vector<DType> narrower_types(DType type) {
  switch (type) {
    case DType::float64:
      return {DType::float32, DType::bfloat16, DType::float16, DType::float8_e4m3fn,
              DType::float8_e5m2};
    case DType::float32:
      return {DType::bfloat16, DType::float16, DType::float8_e4m3fn, DType::float8_e5m2};
    case DType::bfloat16:
    case DType::float16: return {DType::float8_e4m3fn, DType::float8_e5m2};
    default: return {};
  }
}

}  // namespace samebits
