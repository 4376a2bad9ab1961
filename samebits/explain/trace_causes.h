// What makes two recorded runs differ, from where they part and how the difference looks there.
#pragma once

#include <span>

#include "samebits/explain/report.h"
#include "samebits/explain/trace_batch.h"

namespace samebits {

/// What was compared of two recorded runs.
struct TracePoints {
  std::span<const OutputPair> outputs;
  std::span<const ValuePair> values;  // of each output
  bool in_execution_order = false;
  BatchPlace place;
};

/// Adds to report.findings: order.tokens, mode.training, numerics.* where the two part as rounding
/// differs, and code.version, suspected, with the place, where they differ by more. `parting` is
/// the first output that differs.
void find_trace_causes(Report& report, const TracePoints& points, std::size_t parting);

}  // namespace samebits
