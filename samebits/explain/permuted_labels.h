// A classifier whose rows stand in another order, with the names of its classes.
#pragma once

#include <set>
#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// The tensors of A whose rows B holds in another order, where id2label of B names them in that
/// order: each label keeps its row. Empty where a config names no classes.
std::set<std::string> rows_with_their_labels(const Report& report, const WeightPair& pair);

}  // namespace samebits
