// What a person asks first of a file of weights: can I load it, what is it, how far was it trained,
// may I trust it.
//
// Answered from what was read and from findings, in one sentence each; nothing is guessed.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// Of a report of `inspect` whose rules were applied. Nothing where the file could not be read, or
/// holds neither weights nor a recorded run.
std::optional<Answers> answers_of(const Report& report);

}  // namespace samebits
