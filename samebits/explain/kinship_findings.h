// What two files' weights, epochs, steps and initial values say of their histories, and no more.
#pragma once

#include <set>
#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// weights.reinitialized: the sign of a load that failed silently. Weights are unlike, and on one
/// side their norms are all one and their biases zero, or what kept its name is bit-identical while
/// what was renamed is unlike. Returns the names (A's) that it accounts for.
std::set<std::string> find_reinitialized(Report& report, const WeightPair& pair);

/// file.mixup, suspected: most weights differ. Says by how much, and what epochs and steps both
/// files name. Not where another finding of the pair says what the difference is.
void find_mixup(Report& report, const WeightPair& pair, const std::set<std::string>& explained);

}  // namespace samebits
