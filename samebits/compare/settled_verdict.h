// The verdict of a comparison whose ties and computed tables were settled by what the caller knows
// of the model.
#pragma once

#include "samebits/compare/alignment.h"

namespace samebits {

/// Computes `comparison->verdict` anew from its matches, its ties, its computed tables and the
/// names on one side only.
void settle_verdict(WeightComparison* comparison);

}  // namespace samebits
