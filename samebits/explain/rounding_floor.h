// Is it rounding? A run recorded elsewhere, held against the same run in double precision.
//
// At each point, the error of the recorded values and the errors of a few float32 passes with sums
// in other orders are distances from the truth. Such passes have errors of about one size there, so
// that the largest is a unit for the first. And where a point's own inputs were recorded, the step
// between them has a bound that no order of additions breaks: run/operation_bound.h.
#pragma once

#include "samebits/explain/report.h"
#include "samebits/run/run_request.h"

namespace samebits {

/// Of the report's two subjects one is a model that run covers, the other recorded activations: a
/// trace, or a file of tensors under the names of modules.
bool is_model_and_trace(const Report& report);

struct FloorOptions {
  int threads = 1;
  InputRequest input;  // where the trace does not hold pixel_values
};

/// Compares every point that both have, with the error in these units. Adds
/// numerics.rounding where no point is farther off than rounding goes, else code.version with the
/// first that is; numerics.dtype where that one was recorded in a narrower type, config.changed
/// where a point has another shape. Says in not_checked why, where the model cannot be run, and
/// where the trace lacks its noise, or its input, which then must be given.
void compare_with_truth(Report& report, const FloorOptions& options);

}  // namespace samebits
