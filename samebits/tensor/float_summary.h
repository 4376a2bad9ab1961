// What a recording says of a tensor: its digest and statistics, in one pass over its bytes.
#pragma once

#include <cstdint>

#include "samebits/base/bytes.h"
#include "samebits/tensor/digest.h"

namespace samebits {

/// Of float32 elements. Mean, norm (the root of the sum of squares), least and greatest are over
/// the finite ones: 0 where there are none. Sums are of doubles, in an order that depends on the
/// count of elements alone.
struct FloatSummary {
  Digest128 digest;  // as fast_digest() of the bytes
  std::uint64_t elements = 0, not_finite = 0;
  double mean = 0, norm = 0;
  float least = 0, greatest = 0;
};

/// Requires a whole number of elements. The bytes need no alignment. The result does not depend on
/// the number of threads, of which two help at most.
FloatSummary summarize_float32(Bytes bytes, int threads);

}  // namespace samebits
