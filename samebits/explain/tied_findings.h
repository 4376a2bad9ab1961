// Tensors that share their elements on one side and stand once, or apart, on the other.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// Adds to the pair's ties the tensors that stand on one side only, hold the bytes of another of
/// that side, and are one tensor with it by a config or by a file's metadata; settles the verdict.
void settle_ties(const Report& report, WeightPair* pair);

/// weights.tied: a note where a config of the pair ties these names, or the metadata of save_model
/// (safetensors) does; else a risk.
void find_ties(Report& report, const WeightPair& pair);

}  // namespace samebits
