// A subject's tensors held against those of a lock, of which only digests are known.
#pragma once

#include <vector>

#include "samebits/compare/alignment.h"
#include "samebits/lock/lock.h"

namespace samebits {

/// As compare_weights(), with digests in the place of values: same names, same digests under other
/// names, exchanges, ties. Values that differ are not related to one another, and what is fused,
/// split or transposed has other digests. Indexes count `a` and `b`.
WeightComparison compare_locked(const std::vector<LockedTensor>& a,
                                const std::vector<LockedTensor>& b, int threads);

}  // namespace samebits
