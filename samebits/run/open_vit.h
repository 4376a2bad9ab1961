// From a checkpoint to a model that is ready to run.
#pragma once

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/run/vit_forward.h"

namespace samebits {

/// The chosen weights of `checkpoint` as the class that its config names, or else as the one whose
/// table of names fits. `config` is the checkpoint's own, or one that was given in its place.
/// Errors: as vit_config() and load_vit_weights(), and unsupported where the weights are no ViT's.
Result<VitModel> open_vit(const Checkpoint& checkpoint, const Json& config);

}  // namespace samebits
