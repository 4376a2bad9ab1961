// Experts that stand in another order together with the rows of the router that chooses among them.
#pragma once

#include <set>
#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// The names (A's) of the tensors of experts, and of their routers, where the expert that B holds
/// in a place is the one whose row B's router holds there: the model chooses the same experts, and
/// computes the same, but for the order of sums. All tensors beside a router under "experts." have
/// to follow its order, and its biases.
std::set<std::string> permuted_experts(const Report& report, const WeightPair& pair);

}  // namespace samebits
