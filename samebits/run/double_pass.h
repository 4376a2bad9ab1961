// The forward pass in double precision: the truth against which roundings are measured.
//
// Same steps and points as vit_forward.h, in eval mode; sums in ascending order, the C library's
// exp, erf and tanh. Not under the numeric contract: its last bits are no promise.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "samebits/run/vit_forward.h"

namespace samebits {

using DoublePoint = std::function<void(const std::string& name, const std::vector<double>& values)>;

/// Calls `point` at every point that forward() traces, and with the same shapes. Requires what
/// forward() requires.
void forward_in_double(VitModel& model, ThreadPool& pool, const VitInput& input,
                       const DoublePoint& point);

}  // namespace samebits
