// Equal values that stand otherwise: in another place, order, or arrangement.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// weights.rearranged: a cause where values stand where a loader takes them for others, a note
/// where two conventions meet.
void find_rearranged(Report& report, const WeightPair& pair);

}  // namespace samebits
