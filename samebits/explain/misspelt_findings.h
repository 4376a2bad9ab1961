// A weight that has another name in B while what stands beside it keeps its own.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// weights.renamed, a risk: a rule that one weight alone needs, in a module that stands under its
/// name on both sides, is no other naming. What loads by names does not find that weight.
void find_misspelt(Report& report, const WeightPair& pair);

}  // namespace samebits
