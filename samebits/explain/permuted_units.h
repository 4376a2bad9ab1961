// Units that stand in another order in the layer that gives them and in the one that takes them.
#pragma once

#include <set>
#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// The names (A's) of tensors whose rows, or whose columns, stand in another order in B, where the
/// rows of a matrix and the columns of another share that order. Where the second takes what the
/// first gives, unit by unit, the two compute the same, but for the order of sums. Of attention
/// query and key, and value and output, have to agree, also where several heads of a query share a
/// key.
std::set<std::string> permuted_units(const Report& report, const WeightPair& pair);

}  // namespace samebits
