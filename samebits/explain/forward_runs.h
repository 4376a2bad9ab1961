// Every subject run natively on one input, and what makes outputs differ sought by exchange
// (search.h). What that means for the findings: judged.h.
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

/// Runs every subject, repeats, shares the randomness and exchanges what differs. Leaves in the
/// report what the runs showed (`ran`), the outputs, and the list of runs. Where a subject cannot
/// be run or a difference stays unexplained, not_checked says why, and a verdict of "same" is not
/// possible.
void run_subjects(Report& report, const ForwardOptions& options);

}  // namespace samebits
