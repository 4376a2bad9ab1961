// What a training needs to go on besides the weights: where in the file it stands.
#pragma once

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/checkpoint/tree_view.h"

namespace samebits {

/// Fills checkpoint.training, and producer and hyper_parameters of a Lightning checkpoint, from the
/// keys of the top dict.
void read_training_state(Checkpoint& checkpoint, const pickle::Tree& tree, NodeId root);

bool has_training_state(const TrainingState& training);

}  // namespace samebits
