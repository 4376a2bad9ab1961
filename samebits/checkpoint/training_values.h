// What a person asks of a training's file first, by value: epoch, step, loss, hyper-parameters,
// learning rates, and whether the optimizer's state is one that a training has left.
#pragma once

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/checkpoint/tree_view.h"

namespace samebits {

/// Adds to training.values the plain values that stand beside the weights in the top dict: numbers,
/// text, numpy's scalars and tensors of one element under their keys; args, config,
/// hyper_parameters and other dicts or namespaces of plain values whole; "param_groups" of the
/// optimizers without their lists of parameters; what a schedule says. Fills training.optimizers.
/// Called when the tensors are entries.
void read_training_values(Checkpoint& checkpoint, const pickle::Tree& tree, NodeId root);

/// The same of optimizer.pt and scheduler.pt; `prefix` is "optimizer.pt:".
void read_side_values(Checkpoint& checkpoint, const pickle::Tree& tree, NodeId root,
                      const std::string& prefix);

/// Settings, schedules and the like as plain values: numbers, text, namespaces, omegaconf's nodes,
/// numpy's scalars, tensors of one element. `path` and `prefix` are those of its entries.
Json training_settings(const Checkpoint& checkpoint, const pickle::Tree& tree, NodeId node,
                       const std::string& path, const std::string& prefix);

/// Of trainer_state.json: its plain fields, and under "last_log" the last line of log_history.
void read_trainer_values(Checkpoint& checkpoint, const Json& state);

}  // namespace samebits
