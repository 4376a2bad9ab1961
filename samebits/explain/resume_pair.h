// Whether one state of a training can have come from another: what contradicts it.
#pragma once

#include <cstdint>

#include "samebits/explain/resume_facts.h"

namespace samebits {

/// What B began anew, where its loop went on from A's: its optimizer made fewer steps than A's, or
/// no more than the loop since A; its schedule was stepped in time with it, or for itself.
enum class NewStart : std::uint8_t { none, optimizer, optimizer_and_schedule };
NewStart new_start(const ResumeFacts& a, const ResumeFacts& b);

/// Findings about B as a continuation of A: other parameters, counts that fall or stand still while
/// weights change, moments that start anew, other hyper-parameters, another schedule, another seed
/// of torch's generator. Reads the weights up to their first difference.
void find_contradictions(Report& report, const ResumeFacts& a, const ResumeFacts& b);

}  // namespace samebits
