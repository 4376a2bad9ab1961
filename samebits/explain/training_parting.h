// Two trainings, or two recorded steps of one: do they part, in which step, and in what of it
// first?
#pragma once

#include "samebits/explain/report.h"
#include "samebits/explain/subjects.h"

namespace samebits {

/// Directories of samebits train.
bool are_training_runs(const std::vector<SubjectOptions>& subjects);
/// The subjects become the newest step that both have saved. The verdict is different where a loss,
/// a saved state or a recorded step differs, unknown where there was nothing to compare.
void compare_training_runs(Report& report, const std::vector<SubjectOptions>& subjects);

/// What --trace-step wrote, both of them.
bool are_step_traces(const Report& report);
void compare_step_traces(Report& report);

}  // namespace samebits
