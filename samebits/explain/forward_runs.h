// What the outputs say: every subject run natively on one input, and what makes them differ proved
// by exchange (search.h).
#pragma once

#include <functional>

#include "samebits/explain/report.h"
#include "samebits/run/run_request.h"

namespace samebits {

struct ForwardOptions {
  int threads = 1;
  InputRequest input;
  std::function<bool()> more = [] { return true; };  // false: search no further
};

/// Adds the outputs to the report, and turns findings into proved ones: rng.noise and mode.training
/// where a subject differs from itself, config.changed, mode.training and weights.* where the other
/// side with A's config, mode or weights gives A's bits; of several the smallest set that does.
/// Says in not_checked why, where a subject cannot be run or a difference stays unexplained. True
/// where all were run.
bool prove_by_running(Report& report, const ForwardOptions& options);

}  // namespace samebits
