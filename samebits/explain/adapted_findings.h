// Low-rank adapters (LoRA): merged into the weights, beside them, or alone.
//
// Source: peft 0.21 (tuners/lora/layer.py, utils/save_and_load.py) for the names of the factors.
#pragma once

#include <set>
#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// weights.adapted for one pair. Returns the names (A's, and those that stand on one side only)
/// that it accounts for.
std::set<std::string> find_adapted(Report& report, const WeightPair& pair);

}  // namespace samebits
