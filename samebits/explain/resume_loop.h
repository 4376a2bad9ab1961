// The rules for what a loop keeps: counts, the position in the epoch, the scaler, the average.
#pragma once

#include "samebits/explain/resume_facts.h"

namespace samebits {

ResumeRow judge_step(const ResumeFacts& facts);
ResumeRow judge_position(const ResumeFacts& facts);
/// Lightning: gradients that were accumulated and are in no file.
ResumeRows judge_gradients(const ResumeFacts& facts);
/// Only where the file shows that one was used, or holds one.
ResumeRows judge_scaler(const ResumeFacts& facts);
ResumeRows judge_average(const ResumeFacts& facts);

}  // namespace samebits
