// samebits diff: are these the same model?
#pragma once

#include "samebits/explain/report.h"
#include "samebits/explain/subjects.h"

namespace samebits {

/// Weights, config, mode and preprocessing of two checkpoints. Reads every byte that it compares.
/// Verdict as the JSON schema defines it: different where weights differ, or a config field, a mode
/// or a preprocessing field that can move outputs. Of two traces it compares the points instead:
/// see trace_diff.h.
Report diff(const SubjectOptions& a, const SubjectOptions& b, int threads, const Scope& scope = {});

}  // namespace samebits
