// Weights that stand under one key on both sides, dense on one and in parts on the other: indices
// and values of a sparse tensor, scales and zero points of one quantized by channels.
//
// Source: torch/_utils.py of torch 2.13.
#pragma once

#include <set>
#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// Reads sparse weights whose layout differs between the subjects as the dense tensors that they
/// stand for, so that their numbers are compared and not their indices.
void read_unlike_layouts(Report& report);

/// Equal numbers of two layouts are same values, not the same tensor.
void settle_layouts(const Report& report, WeightPair* pair);

/// weights.layout where a part stands on one side only, though its key stands on both. Returns the
/// names that it accounts for. Not said of names in `explained`.
std::set<std::string> find_layouts(Report& report, const WeightPair& pair,
                                   const std::set<std::string>& explained);

}  // namespace samebits
