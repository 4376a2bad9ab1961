// What a predicted load means for the person who makes it, as findings with what to do.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// What the first load of `check` has in common with the findings of other commands: tensors left
/// at random values, dropped, of another shape, or a loader that ends with an error.
void find_load_risks(Report& report);

/// weights.quantized, a note: what another library packs, and what from_pretrained makes of it.
void find_packed(Report& report);

/// file.incomplete, where no other finding says it: a shard that is not there, or an index that
/// names a tensor which no shard holds.
void find_absent_parts(Report& report, const Subject& subject);

}  // namespace samebits
