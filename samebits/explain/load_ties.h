// Names of one tensor in a load: an output layer that the target, or the checkpoint, ties to its
// embeddings.
//
// Source: torch 2.13.0 nn/modules/module.py (load_state_dict copies under every name that it finds,
// one after the other); model/tied_names.h.
#pragma once

#include "samebits/explain/load_list.h"

namespace samebits {

/// Corrects what names alone say of such a load: a name that the target's config ties to another is
/// not dropped, and a target that the checkpoint's config ties is no loss of a value. Notes where
/// one tensor of the target would be given two values.
void settle_load_ties(const Checkpoint& source, const LoadList& target, LoadReport& load);

/// weights.tied: one tensor of the target that gets two values, one after the other.
void find_load_ties(Report& report, const LoadReport& load);

}  // namespace samebits
