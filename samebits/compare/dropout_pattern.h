// Whether of two arrays one is the other behind a dropout layer.
#pragma once

#include <optional>

#include "samebits/compare/tensor_stats.h"

namespace samebits {

/// What torch.nn.Dropout does in training mode: an element is 0 with a probability, its rate, and
/// else divided by 1 - rate. 0 for a side that has none. Of one side alone the rate is that of the
/// elements kept; of two it is the share of zeros.
struct DropoutPattern {
  double rate_a = 0, rate_b = 0;
};

/// Both sides are one array, each behind dropout of its own or none: elements that are 0 on one
/// side only are as many as the rate makes likely, and strewn over rows and columns of the last
/// dimension as chance does; all others are equal, or in the proportion of the rate, up to
/// rounding. Nothing where the two differ in any other way, where both may have zeros of one draw,
/// or where they are complex. Requires have_numbers() and equal numel.
std::optional<DropoutPattern> dropout_pattern(const ValuePair& values);

}  // namespace samebits
