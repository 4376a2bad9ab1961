// samebits explain: why do these give other outputs?
#pragma once

#include "samebits/explain/report.h"
#include "samebits/explain/subjects.h"

namespace samebits {

/// From the files alone: every subject against A, everything that stands in them as observed, and
/// what the model's definition implies as suspected, with what would prove it. No forward pass is
/// run: equal files of a deterministic model give the verdict unknown, with that said. Requires at
/// least two subjects.
Report explain(const std::vector<SubjectOptions>& subjects, int threads);

}  // namespace samebits
