// Dropout that was active while a run was recorded.
#pragma once

#include <optional>

#include "samebits/explain/report.h"

namespace samebits {

/// mode.training, observed, where dropout was active in a trace: `parting`, the first point at
/// which the two differ, is on one side the other behind dropout; or the points of one trace show
/// it, as the output of a dropout module and its input do. A cause where the two part there or
/// right behind it; else it contributes, and what makes them part may be something else. Nothing
/// where none is seen, and where both drew the same.
std::optional<Finding> dropout_finding(const OutputPair& parting, const Subject& a,
                                       const Subject& b);

}  // namespace samebits
