// samebits diff: are these the same model?
#pragma once

#include "samebits/explain/report.h"
#include "samebits/explain/subjects.h"

namespace samebits {

/// Weights, config, mode and preprocessing of two checkpoints. Reads every byte that it compares.
/// Verdict as the JSON schema defines it: different where weights differ, or a config field, a mode
/// or a preprocessing field that can move outputs. Of two traces it compares the points instead:
/// see trace_diff.h.
Report diff(const SubjectOptions& a, const SubjectOptions& b, int threads);

/// What diff and explain share: the pair's comparison and its findings are added to the report. The
/// weight sets keep their digests, so that a subject that is compared several times is read once.
struct PairOptions {
  int threads = 1;
  Role preprocessing_role = Role::contributes;
};
void compare_pair(Report& report, std::size_t a, std::size_t b, std::vector<WeightSet>& weights,
                  const PairOptions& options);

}  // namespace samebits
