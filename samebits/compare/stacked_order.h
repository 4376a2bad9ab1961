// Whether tensors are stacked in the order that names and roles ask for: query before key before
// value, gate before up, expert 0 before expert 1.
#pragma once

#include <string>
#include <vector>

#include "samebits/compare/weight_set.h"

namespace samebits {

/// "is stacked in the order key, query, value instead of query, key, value", or "" where the order
/// is that of the roles, of the letters in the whole's name or of the parts' numbers, or nothing
/// tells.
std::string contrary_order(const NamedTensor& whole, const std::vector<const NamedTensor*>& parts);

}  // namespace samebits
