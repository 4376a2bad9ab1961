// Whether one state of a training can have come from another: what contradicts it.
#pragma once

#include "samebits/explain/resume_facts.h"

namespace samebits {

/// Findings about B as a continuation of A: other parameters, counts that fall or stand still while
/// weights change, moments that start anew, other hyper-parameters, another schedule, another seed
/// of torch's generator. Reads the weights up to their first difference.
void find_contradictions(Report& report, const ResumeFacts& a, const ResumeFacts& b);

}  // namespace samebits
