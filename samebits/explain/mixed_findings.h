// Of three subjects one may be an average of the other two.
#pragma once

#include <set>
#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// weights.averaged for a pair of which one side lies between the other and a third subject, weight
/// by weight, or beyond one of them on the line through both: a mean of two models, a running
/// average and what it was taken of. Returns the names (A's) of the weights that this explains.
std::set<std::string> find_mixed(Report& report, const WeightPair& pair);

}  // namespace samebits
