// Averaged weights (EMA, SWA) against those that they are an average of.
#pragma once

#include <set>
#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// weights.averaged: where the weights differ, those of one side may stand beside the chosen ones
/// on the other, bit for bit: an average of them, or what was averaged. Compares with those.
/// Returns the names of the pair's tensors that this explains: all that differ.
std::set<std::string> find_averaged(Report& report, const WeightPair& pair, int threads);

}  // namespace samebits
