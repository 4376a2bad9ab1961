// How many numbers are further apart than somebody is willing to overlook.
#pragma once

#include <cstdint>

#include "samebits/compare/tensor_stats.h"

namespace samebits {

/// b is close to a where |b - a| <= absolute + relative * |a|: numpy.isclose(b, a) and
/// torch.testing.assert_close(actual=b, expected=a).
struct Tolerance {
  double relative = 0, absolute = 0;
};

/// The elements of B that are not close to A's. Computed in double precision; NaN is close to NaN,
/// an infinity to itself. A complex number counts as two elements. Requires have_numbers().
std::uint64_t count_beyond(const ValuePair& pair, const Tolerance& tolerance, int threads);

}  // namespace samebits
