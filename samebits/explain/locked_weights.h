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

/// Takes out of the names on one side only those of tensors that the tables of names know to be
/// fused on one side and apart on the other (qkv), whose digests say nothing. The verdict is then
/// unknown, unless others differ; what was left open stands in `unsearched`.
void set_aside_fused(const std::vector<LockedTensor>& a, const std::vector<LockedTensor>& b,
                     WeightComparison* comparison);

}  // namespace samebits
