// Dropout that was active while a run was recorded.
#pragma once

#include <optional>

#include "samebits/explain/report.h"

namespace samebits {

/// mode.training, observed: where `pair`, a point of both subjects, is on one side the other behind
/// dropout, or where a recording's own points show it, as the output of a dropout module and its
/// input do. Nothing where neither is so.
std::optional<Finding> dropout_finding(const OutputPair& pair, const Subject& a, const Subject& b);

}  // namespace samebits
