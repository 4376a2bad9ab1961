// Two recorded forward passes: where do they part, and what does the difference look like there?
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// One of the two subjects was written by samebits run --trace, and the other is that too or a file
/// of activations under names that fit.
bool are_traces(const Report& report);

/// Every point of A with the same point of B, in execution order; the config with which they ran;
/// findings for what stands in the files: another noise, tokens in another order, values rounded to
/// a narrower type. The verdict is different where a point differs, unknown where none does but a
/// point has no partner.
void compare_traces(Report& report, int threads);

}  // namespace samebits
