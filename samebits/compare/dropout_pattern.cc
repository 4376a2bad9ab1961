#include "samebits/compare/dropout_pattern.h"

#include <algorithm>
#include <cmath>

namespace samebits {
namespace {

/// Of a point's largest number: by how much two float32 passes differ there, and two in `type`.
double rounding_of(DType type) {
  switch (type) {
    case DType::bfloat16: return 0x1p-5;
    case DType::float16: return 0x1p-8;
    default: return 1e-5;
  }
}

/// Whether `count` of `total` is what a chance of `rate` gives, within five standard deviations.
bool is_likely(double count, double total, double rate) {
  return std::fabs(count - rate * total) <= 1 + 5 * std::sqrt(total * rate * (1 - rate));
}

/// Calls visit(x, y) for every element of both, as numbers; false where it says false.
template <class Visit>
bool every(const ValuePair& values, Visit visit) {
  std::vector<std::uint8_t> buffer_a;
  std::vector<std::uint8_t> buffer_b;
  const Bytes a = values.a.row_major_bytes(buffer_a);
  const Bytes b = values.b.row_major_bytes(buffer_b);
  const std::uint64_t size_a = itemsize(values.a.dtype());
  const std::uint64_t size_b = itemsize(values.b.dtype());
  for (std::uint64_t i = 0; i < values.a.numel(); ++i) {
    if (!visit(element_as_double(values.a.dtype(), a.data() + i * size_a),
               element_as_double(values.b.dtype(), b.data() + i * size_b)))
      return false;
  }
  return true;
}

}  // namespace

std::optional<DropoutPattern> dropout_pattern(const ValuePair& values) {
  if (!has_element_values(values.a.dtype()) || !has_element_values(values.b.dtype()))
    return std::nullopt;            // complex
  constexpr double kFewest = 16;    // elements kept, below which the rate is not known well
  constexpr double kLeast = 0.001;  // a smaller rate is the scale's own rounding
  double zero_a = 0;                // where b is not
  double zero_b = 0;
  double kept = 0;  // neither is
  double xx = 0;
  double xy = 0;
  double largest = 0;
  double largest_dropped = 0;
  const bool finite = every(values, [&](double x, double y) {
    if (x == 0 || y == 0) {
      zero_a += y != 0 ? 1 : 0;
      zero_b += x != 0 ? 1 : 0;
      largest_dropped = std::max({largest_dropped, std::fabs(x), std::fabs(y)});
    } else {
      ++kept;
      xx += x * x;
      xy += x * y;
    }
    largest = std::max({largest, std::fabs(x), std::fabs(y)});
    return std::isfinite(x) && std::isfinite(y);
  });
  if (!finite || kept < kFewest || zero_a + zero_b == 0) return std::nullopt;
  const bool both = zero_a > 0 && zero_b > 0;
  const double scale = both ? 1 : xy / xx;  // of b against a
  const double rounding =
      std::max(rounding_of(values.a.dtype()), rounding_of(values.b.dtype())) * largest;
  if (largest_dropped <= rounding) return std::nullopt;  // zeros of rounding
  if (!every(values, [&](double x, double y) {
        return x == 0 || y == 0 || std::fabs(y - scale * x) <= rounding;
      }))
    return std::nullopt;
  if (both) {
    const double rate = zero_b / (zero_b + kept);
    if (!is_likely(zero_a, zero_a + kept, rate)) return std::nullopt;
    return DropoutPattern{rate, true, true};
  }
  const bool in_b = zero_b > 0;
  const double rate = in_b ? 1 - 1 / scale : 1 - scale;
  const double zeros = in_b ? zero_b : zero_a;
  if (!(rate >= kLeast && rate < 1) || !is_likely(zeros, zeros + kept, rate)) return std::nullopt;
  return DropoutPattern{rate, !in_b, in_b};
}

}  // namespace samebits
