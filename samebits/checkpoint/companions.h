// What a framework loads together with the first model of a directory.
//
// Source: accelerate 1.15.0 (utils/constants.py, checkpointing.py): save_state writes
// model.safetensors, model_1.safetensors, ... (or pytorch_model_1.bin) for the prepared models, and
// custom_checkpoint_0.pkl, ... for registered objects; load_state gives all of them back.
#pragma once

#include <string>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// Further models and registered objects of `directory`, in the order of their numbers.
std::vector<std::string> companion_files(const std::string& directory);

/// Reads one of them: its tensors become entries named "FILE:NAME" of Checkpoint::companions, its
/// other values `loaded` ones of Checkpoint::values.
Result<void> read_companion(Checkpoint& checkpoint, const std::string& directory,
                            const std::string& name);

}  // namespace samebits
