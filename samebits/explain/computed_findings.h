// Tables that a class computes when it is built, and that one of two files keeps.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// A fact: which of the tensors on one side only hold what their class computes. Not where the
/// other file's config says that its class computes something else. The verdict follows.
void settle_computed(const Report& report, WeightPair* pair);

/// state.buffers, a note: these tables.
void note_computed(Report& report, const WeightPair& pair);

}  // namespace samebits
