// Pairs of a comparison that are none: two architectures whose names are alike, a weight and one of
// the factors that another one is computed from.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// Where the two sides are of unlike architectures, tensors of other names whose values differ are
/// no pairs, and no renaming is shown.
void settle_architectures(const Report& report, WeightPair* pair);

/// A weight is no pair of a factor (see reparametrized.h).
void settle_factors(const Report& report, WeightPair* pair);

}  // namespace samebits
