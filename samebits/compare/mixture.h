// Whether one tensor lies on the line through two others: an average of two models, or a step of a
// running average.
#pragma once

#include <cstdint>
#include <limits>

#include "samebits/tensor/tensor.h"

namespace samebits {

/// Sums over the elements of x, y and z: of (x - y)(z - y), and of (z - y) squared. Their ratio is
/// the t of x = y + t (z - y) that fits best. Not finite where an element is not.
struct MixtureSums {
  double along = 0, square = 0;
  double share() const { return along / square; }
};

inline constexpr std::uint64_t kAllElements = std::numeric_limits<std::uint64_t>::max();

/// True for three tensors of one shape and of floats.
bool can_mix(const TensorView& x, const TensorView& y, const TensorView& z);
/// Adds the sums of the first `most` elements. Requires can_mix().
void add_mixture(const TensorView& x, const TensorView& y, const TensorView& z, MixtureSums* sums,
                 std::uint64_t most = kAllElements);
/// Whether each of these elements of x is that of y + t (z - y), to a few roundings of x's type.
/// Ends at the first block in which one is not. Requires can_mix().
bool is_mixture(const TensorView& x, const TensorView& y, const TensorView& z, double t,
                std::uint64_t most = kAllElements);

}  // namespace samebits
