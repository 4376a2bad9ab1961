// Values of an object that are no tensors, and tensors that only stand for values elsewhere.
//
// Source: torch/nn/modules/module.py (`_extra_state`), torch/ao/nn/quantized (`_packed_params`) of
// torch 2.13; deepspeed/runtime/engine.py of DeepSpeed 0.19 (ZeRO stage 3).
#pragma once

#include <string>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/checkpoint/tree_view.h"

namespace samebits {

/// Adds the values of the chosen weights that are no tensors, and what stands beside the candidates
/// and optimizer states, to Checkpoint::values. After the choice.
/// `arrays_are_tensors`: numpy arrays are entries of the checkpoint, and no values beside them.
void collect_values(Checkpoint& checkpoint, const pickle::Tree& tree, NodeId root,
                    bool arrays_are_tensors);

/// DeepSpeed's ZeRO stage 3 leaves parameters of shape [0] and their shapes in `param_shapes`:
/// these entries become absent, with their true shapes, and `unread` says where the values are.
void mark_placeholders(Checkpoint& checkpoint, const pickle::Tree& tree, NodeId root);

/// An `incomplete` oddity where weights stand end to end in flat parameters of FSDP (torch 2.13.0,
/// distributed/fsdp/_flat_param.py).
void mark_flat_parameters(Checkpoint& checkpoint);

}  // namespace samebits
