// Keys of a state dict that are no tensors: what get_extra_state() of a module gave.
//
// Source: torch 2.13.0, nn/modules/module.py: strict=True raises where such a key stands on one
// side alone; strict=False passes over it.
#pragma once

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/explain/load_list.h"
#include "samebits/explain/report.h"

namespace samebits {

/// Sets `states_dropped` and `states_kept`. Of safetensors, JSON and whole modules, which hold no
/// such keys, nothing is known.
void note_extra_states(const Checkpoint& source, const LoadList& target, LoadReport& load);

/// state.buffers, a risk.
void find_states(Report& report, const LoadReport& load);

}  // namespace samebits
