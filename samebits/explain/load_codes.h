// Quantized weights that a load takes for numbers: their scales have no place in the target.
#pragma once

#include <string>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/explain/report.h"

namespace samebits {

/// Sets `codes`. Where the codes are those of a tensor subclass, which a parameter does not take,
/// the load ends with an error. Looks at names, shapes and types, and reads scales.
void note_codes(const Checkpoint& checkpoint, LoadReport& load);

/// weights.quantized, a risk.
void find_codes(Report& report, const LoadReport& load);

/// Whether all that is dropped belongs to such weights.
bool are_scales_alone(const LoadReport& load);

/// How to write such weights as numbers.
std::string codes_remedy(const LoadReport& load);

}  // namespace samebits
