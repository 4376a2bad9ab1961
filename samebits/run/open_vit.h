// From a checkpoint to a model that is ready to run.
#pragma once

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/model/recognize.h"
#include "samebits/run/vit_forward.h"

namespace samebits {

/// The chosen weights of `checkpoint` by their names, the class that `config` names first. Errors:
/// unsupported where they are no ViT's, or not all of one.
Result<model::Recognition> recognize_vit(const Checkpoint& checkpoint, const Json& config);

/// What a bare state dict under timm's names leaves open, and is taken as timm builds the class
/// where it is told nothing; "" for other files.
std::string taken_as_built(const Checkpoint& checkpoint, const Json& config);

/// The chosen weights of `checkpoint` as the class that its config names, or else as the one whose
/// table of names fits. `config` is the checkpoint's own, or one that was given in its place; what
/// the modules of a pickle contradict in it is taken from them. Errors: unsupported for modules
/// that no config describes (module_config.h) and where the weights are no ViT's, and those of
/// vit_config() and load_vit_weights().
Result<VitModel> open_vit(const Checkpoint& checkpoint, const Json& config, int threads = 1);

}  // namespace samebits
