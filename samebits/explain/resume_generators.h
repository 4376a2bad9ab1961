// The rules for random generators: which are there, and whether they stand where a seed leaves them
// or have been drawn from.
#pragma once

#include "samebits/explain/resume_facts.h"

namespace samebits {

/// One row for each kind that a training needs: torch, numpy, python, and each kind of device that
/// the file's tensors lay on.
ResumeRows judge_generators(const ResumeFacts& facts);

}  // namespace samebits
