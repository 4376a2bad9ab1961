// Eight-bit integers with scales, held against the numbers that they may stand for.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "samebits/tensor/tensor.h"

namespace samebits {

/// A number is (integer - zero point) * scale.
struct QuantizedScale {
  std::vector<double> scales;       // one, or one for each index of `axis`
  std::vector<double> zero_points;  // as many; none for zeros
  std::size_t axis = 0;
};

struct DequantizedError {
  double steps = 0;          // largest distance of a number from what its integer says, in scales
  std::uint64_t beyond = 0;  // elements further than kOneRounding from it
  std::uint64_t elements = 0;
};

/// What rounding leaves, in scales: a half, and what numbers of half precision add to it (127 of
/// them are known to 2^-5).
constexpr double kOneRounding = 0.55;

/// Nothing where the shapes differ, there is another number of scales, or the types are not 8-bit
/// integers and real numbers.
std::optional<DequantizedError> dequantized_error(const TensorView& integers,
                                                  const QuantizedScale& by,
                                                  const TensorView& numbers);

}  // namespace samebits
