// What a predicted load means for the person who makes it, as findings with what to do.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// What the loads of `check` have in common with the findings of other commands: tensors left at
/// random values, dropped, of another shape, or a loader that ends with an error.
void find_load_risks(Report& report, const LoadReport& load);

/// file.incomplete, where no other finding says it: a shard that is not there, or an index that
/// names a tensor which no shard holds.
void find_absent_parts(Report& report, const Checkpoint& checkpoint);

}  // namespace samebits
