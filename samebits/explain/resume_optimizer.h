// The rules for optimizers, and for how a schedule and the loop's counts fit them.
#pragma once

#include "samebits/explain/resume_facts.h"

namespace samebits {

/// One row for each optimizer, or one that says that there is none. Reads moments until the first
/// element that is not zero, at most 256 MiB of zeros.
ResumeRows judge_optimizers(const ResumeFacts& facts);

/// The same for schedules.
ResumeRows judge_schedulers(const ResumeFacts& facts);

}  // namespace samebits
