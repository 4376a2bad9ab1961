// The rule for files that accelerate numbers: one that is left out belonged to an object of the
// training.
#pragma once

#include "samebits/explain/resume_facts.h"

namespace samebits {

/// A row for each kind of file of which a number is left out; none where all are there, and for
/// other frameworks.
ResumeRows judge_numbers_of_files(const ResumeFacts& facts);

/// "and 2 tensors of model_1.safetensors": further models that are loaded together with the first.
std::string further_models(const ResumeFacts& facts);

}  // namespace samebits
