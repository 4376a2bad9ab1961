// Equal values that stand otherwise: in another place, order, or arrangement.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// What to do about weights that compute the same on both sides, but for the order of sums.
inline constexpr const char* kOnlyRounding =
    "Nothing where outputs may differ by rounding; for equal bits take one of the two files on "
    "both sides";

/// weights.rearranged: a cause where values stand where a loader takes them for others, a note
/// where two conventions meet.
void find_rearranged(Report& report, const WeightPair& pair);

}  // namespace samebits
