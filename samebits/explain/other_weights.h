// Sets of weights that stand in both files of a pair beside the compared ones: a teacher, an
// average, the second model of two that are trained together.
#pragma once

#include <utility>
#include <vector>

#include "samebits/explain/report.h"

namespace samebits {

/// Whether a candidate is a part of the chosen weights: "encoder" of a whole file.
bool is_part_of_chosen(const Checkpoint& checkpoint, const Candidate& candidate);

/// Those that stand under one key in both. None where --key said which weights are meant.
std::vector<std::pair<const Candidate*, const Candidate*>> sets_beside(const Checkpoint& a,
                                                                       const Checkpoint& b);

/// weights.changed: such a set whose tensors differ. A difference for diff; a risk for explain,
/// which asks what the chosen weights compute.
void find_other_weights(Report& report, const Subject& a, const Subject& b, int threads);

}  // namespace samebits
