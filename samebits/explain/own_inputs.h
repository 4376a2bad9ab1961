// Subjects run on what their own image processors make of the pictures, beside the runs on one
// input.
#pragma once

#include <map>

#include "samebits/explain/native_runner.h"
#include "samebits/explain/search.h"

namespace samebits {

/// Of each subject whose own processor makes other numbers: runs it on them, and says in
/// report.runs and in the pair's input.preprocessing what that does to the outputs: a cause where
/// they differ, proved where on one input they do not. Where one of the two processors is not
/// computed, not_checked says so and the report is undecided. Gives the outputs of those that draw
/// no random numbers.
std::map<std::size_t, VitOutputs> run_own_inputs(Report& report, NativeRunner& runner,
                                                 const SearchOutcome& outcome, int threads);

}  // namespace samebits
