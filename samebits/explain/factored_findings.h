// Weights that one side holds whole and the other as factors: weight norm, spectral norm, pruning.
#pragma once

#include <set>
#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// weights.layout where a weight stands on one side, and its factors on the other (see
/// reparametrized.h), with what the factors give. Returns the names that it accounts for.
std::set<std::string> find_factored(Report& report, const WeightPair& pair);

}  // namespace samebits
