// Subjects run on what their own image processors make of the pictures, beside the runs on one
// input.
#pragma once

#include <map>

#include "samebits/explain/native_runner.h"
#include "samebits/explain/search.h"

namespace samebits {

struct OwnInputRuns {
  std::map<std::size_t, VitOutputs> outputs;  // of those that draw no random numbers
  std::vector<OtherImages> facts;
};

/// Runs each subject whose own processor makes other numbers on them, and lists these runs. Where
/// one of the two processors is not computed, not_checked says so, and the verdict cannot be
/// "same".
OwnInputRuns run_own_inputs(Report& report, NativeRunner& runner, const SearchOutcome& outcome,
                            int threads);

}  // namespace samebits
