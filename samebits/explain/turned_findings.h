// Models of which one is the other with its hidden states turned (compare/turned_matrix.h).
#pragma once

#include <string>
#include <vector>

#include "samebits/explain/report.h"

namespace samebits {

/// Matrices, by A's names, that have nothing in common element by element and keep the length of
/// every row or column. Tries a bounded number of those that might.
std::vector<std::string> turned_matrices(const Report& report, const WeightPair& pair);

/// What that means, for the finding that says that they changed.
void add_turned(const std::vector<std::string>& turned, Finding* finding);

/// Whether a finding of these two says so.
bool says_turned(const Report& report, const std::string& a, const std::string& b);

}  // namespace samebits
