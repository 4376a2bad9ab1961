// Whether of two arrays one is the other behind a dropout layer.
#pragma once

#include <optional>

#include "samebits/compare/tensor_stats.h"

namespace samebits {

/// What torch.nn.Dropout does in training mode: an element is 0 with probability `rate`, and else
/// divided by 1 - rate.
struct DropoutPattern {
  double rate = 0;
  bool in_a = false, in_b = false;  // both: with masks of their own
};

/// The rate is that of the elements kept, and the number of zeros is one that it makes likely; the
/// elements kept are the other side's up to rounding. Nothing where the two differ in any other
/// way, or are complex. Requires have_numbers() and equal numel.
std::optional<DropoutPattern> dropout_pattern(const ValuePair& values);

}  // namespace samebits
