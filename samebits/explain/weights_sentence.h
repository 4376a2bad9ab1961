// What a comparison of weights comes to, in one sentence.
#pragma once

#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// "as after fine-tuning: blocks 0 to 3 are identical; blocks 4 and 5 and the head changed
/// (relative change 0.05)". "" where the segments of the pair show no difference. Requires its
/// segments. `leading` is the finding that the report begins with: a low rank and initial values
/// are taken from it.
std::string weights_sentence(const Report& report, const WeightPair& pair, const Finding& leading);

}  // namespace samebits
