#include "samebits/compare/dequantized.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "samebits/compare/number_block.h"

namespace samebits {
namespace {

constexpr std::uint64_t kDequantizedRun = 1 << 16;

bool is_signed_byte(DType type) { return type == DType::int8 || type == DType::qint8; }
bool is_unsigned_byte(DType type) { return type == DType::uint8 || type == DType::quint8; }

double steps_off(double number, double integer, double scale) {
  const double off = std::abs(number - integer * scale);
  if (off == 0) return 0;
  const double steps = off / std::abs(scale);
  return std::isnan(steps) ? std::numeric_limits<double>::infinity() : steps;
}

/// Elements between one index of the axis and the next.
std::uint64_t stride_of_axis(const Shape& shape, std::size_t axis) {
  std::uint64_t stride = 1;
  for (std::size_t i = axis + 1; i < shape.size(); ++i)
    stride *= static_cast<std::uint64_t>(shape[i]);
  return stride;
}

bool fits(const TensorView& integers, const QuantizedScale& by, const TensorView& numbers) {
  if (!is_signed_byte(integers.dtype()) && !is_unsigned_byte(integers.dtype())) return false;
  if (info(numbers.dtype()).family != DTypeFamily::floating ||
      !has_element_values(numbers.dtype()) || integers.shape() != numbers.shape())
    return false;
  if (!by.zero_points.empty() && by.zero_points.size() != by.scales.size()) return false;
  if (by.scales.size() == 1) return true;
  return by.axis < integers.shape().size() &&
         by.scales.size() == static_cast<std::size_t>(integers.shape()[by.axis]);
}

}  // namespace

std::optional<DequantizedError> dequantized_error(const TensorView& integers,
                                                  const QuantizedScale& by,
                                                  const TensorView& numbers) {
  if (!fits(integers, by, numbers)) return std::nullopt;
  const bool is_signed = is_signed_byte(integers.dtype());
  const std::uint64_t count = by.scales.size();
  const std::uint64_t stride = count == 1 ? 1 : stride_of_axis(integers.shape(), by.axis);
  DequantizedError error{.elements = integers.numel()};
  std::vector<std::uint8_t> buffer;
  NumberBlock block;
  for (std::uint64_t first = 0; first < integers.numel(); first += kDequantizedRun) {
    const std::uint64_t run = std::min(kDequantizedRun, integers.numel() - first);
    const Bytes bytes = integers.row_major_range(first, run, buffer);
    block.load(numbers, first, run);
    for (std::uint64_t i = 0; i < run; ++i) {
      const std::uint64_t at = (first + i) / stride % count;
      const double zero = by.zero_points.empty() ? 0 : by.zero_points[at];
      const double stored = is_signed ? static_cast<std::int8_t>(bytes[i]) : bytes[i];
      const double steps = steps_off(block.numbers()[i], stored - zero, by.scales[at]);
      error.steps = std::max(error.steps, steps);
      if (steps > kOneRounding) ++error.beyond;
    }
  }
  return error;
}

}  // namespace samebits
