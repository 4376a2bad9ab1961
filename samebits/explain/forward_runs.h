// What the outputs say: every subject run on one input, and the differences proved by exchanging
// one factor at a time until the bits agree.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// Runs the subjects natively, in eval mode, on torch.randn of one image with seed 42. Adds the
/// outputs to the report, and turns findings into proved ones: rng.noise where a subject differs
/// from itself, config.changed and weights.* where the other side with A's config or weights gives
/// A's bits. Says in not_checked why, where a subject cannot be run. True where all were run.
bool prove_by_running(Report& report, int threads);

}  // namespace samebits
