// Two arrays of activations as one line of a report.
#pragma once

#include "samebits/compare/tensor_stats.h"
#include "samebits/explain/report.h"
#include "samebits/run/vit_forward.h"

namespace samebits {

/// The verdict is "permuted" where B's rows (vectors of the last dimension) are A's in another
/// order, "rounding" where one side holds the other's values rounded to a narrower type, at least
/// four that differ where both are stored in one type.
/// Requires have_numbers() and equal shapes.
OutputPair compare_outputs(const std::string& a, const std::string& b, const std::string& point,
                           const ValuePair& values, int threads);

/// float32, as it lies in `array`, which must outlive it.
TensorView view_of(const NamedArray& array);

}  // namespace samebits
