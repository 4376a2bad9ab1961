// How a checkpoint and a lock differ, as findings.
#pragma once

#include "samebits/explain/report.h"
#include "samebits/lock/lock.h"

namespace samebits {

/// weights.changed, weights.rearranged, weights.missing, weights.renamed and weights.tied, from the
/// comparison in the report. A lock holds no values: nothing is said of how they differ.
void find_locked_weights(Report& report);

/// Buffers, companions, code and modules; in not_checked what one side does not hold. Config,
/// preprocessing, mode and values that are no tensors have rules of their own.
void find_locked_others(Report& report, const Lock& held, const Lock& lock, int threads);

}  // namespace samebits
