// Tables that a class computes when it is built, and that one of two files keeps.
#pragma once

#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// A fact: which of the tensors on one side only hold what their class computes. Not where the
/// other file's config says that its class computes something else. The verdict follows.
void settle_computed(const Report& report, WeightPair* pair);

/// Whether these are rotary frequencies (inv_freq) that the config does not give: another base, or
/// none at all. False where the config scales them, or says no base.
bool contradicts_rope(const Json& config, const std::string& name, const TensorView& view);

/// state.buffers, a note: these tables.
void note_computed(Report& report, const WeightPair& pair);

}  // namespace samebits
