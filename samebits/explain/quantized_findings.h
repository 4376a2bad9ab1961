// Weights that are stored as integers or narrow floats with scales.
//
// Source: the names that torch.ao.quantization, bitsandbytes 0.50, GPTQ and AWQ, torchao 0.18 and
// compressed-tensors write.
#pragma once

#include <set>
#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// weights.quantized where weights of one side are stored so and those of the other are not.
/// Returns the names (A's, and those that stand on one side only) that it accounts for.
std::set<std::string> find_quantized(Report& report, const WeightPair& pair, int threads);

}  // namespace samebits
