// The rules for an optimizer's state that lies in partitions: DeepSpeed's ZeRO.
#pragma once

#include "samebits/explain/resume_facts.h"

namespace samebits {

/// One row for all partitions, from the rows of those that were read.
ResumeRow join_partitions(const ResumeFacts& facts, ResumeRows rows);

}  // namespace samebits
