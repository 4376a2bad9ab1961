// Rotary embeddings that transformers 5 wrote where 4 does not look.
//
// Source: family/rotary_fields.h.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// code.version, a risk: transformers 4, which `check` is to load with, takes the defaults of its
/// class for what the config says in rope_parameters alone.
void find_unread_rotary(Report& report, const Subject& subject);

/// The same where it holds for one side of a pair alone.
void find_unread_rotary_of_pair(Report& report, const Subject& a, const Subject& b);

}  // namespace samebits
