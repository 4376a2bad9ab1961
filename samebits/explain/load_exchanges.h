// What a load that is complete puts in one another's places: the target's file shows it.
#pragma once

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/explain/load_list.h"
#include "samebits/explain/report.h"

namespace samebits {

/// Sets `exchanged` and `exchanges`. Reads the values of both files where every name is loaded.
void note_exchanges(const Checkpoint& source, const LoadList& target, int threads,
                    LoadReport& load);

/// weights.rearranged, a risk.
void find_exchanged_by_load(Report& report, const LoadReport& load);

}  // namespace samebits
