// Two sides whose weights are both stored quantized: whether codes or scales differ, and what that
// makes of the numbers.
#pragma once

#include <set>
#include <string>

#include "samebits/explain/report.h"
#include "samebits/quantized/layers.h"

namespace samebits {

/// weights.changed for layers that both sides store quantized and whose tensors differ, where both
/// are of a form that is read. Returns the names that it accounts for.
std::set<std::string> find_requantized(Report& report, const WeightPair& pair,
                                       const QuantizedLayers& in_a, const QuantizedLayers& in_b,
                                       int threads);

}  // namespace samebits
