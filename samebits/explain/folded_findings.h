// Batch norms of one side that the other has folded into the layers in front of them.
#pragma once

#include <set>
#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// weights.layout where norms stand on one side only, and the other side's weights and biases are
/// what folding gives (see folded_norm.h). Returns the names that it accounts for.
std::set<std::string> find_folded(Report& report, const WeightPair& pair);

}  // namespace samebits
