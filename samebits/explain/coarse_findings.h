// Weights of one side that are the other's, rounded to a grid that no narrower type is: fewer bits,
// decimals, the levels of a quantization.
#pragma once

#include <set>
#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// weights.rounded with a `grid` in its evidence (see coarse_values.h). Returns the names that it
/// accounts for. What stands in `explained` is left to the finding that explains it.
std::set<std::string> find_coarse(Report& report, const WeightPair& pair,
                                  const std::set<std::string>& explained);

}  // namespace samebits
