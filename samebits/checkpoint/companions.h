// What a framework loads together with the first model of a directory.
//
// Source: accelerate 1.15.0 (utils/constants.py, checkpointing.py): save_state writes
// model.safetensors, model_1.safetensors, ... (or pytorch_model_1.bin) for the prepared models, and
// custom_checkpoint_0.pkl, ... for registered objects; load_state gives all of them back.
// sentence-transformers 5.1.2: modules.json lists the modules that follow the transformer, each
// with a folder of its own for a config and, where it has some, weights (1_Pooling, 2_Dense).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// Further models and registered objects of `directory`, in the order of their numbers.
std::vector<std::string> companion_files(const std::string& directory);

/// The modules that modules.json lists, as read_companion() reads them: weights named
/// "2_Dense/model.safetensors:NAME", and the fields of their configs and of the list as `loaded`
/// values. What cannot be read is added to Checkpoint::unread.
void read_modules_behind(Checkpoint& checkpoint, const std::string& directory);

/// Whether a value or a companion's tensor is one of these modules.
bool is_of_module_behind(std::string_view path);
bool lists_modules_behind(const Checkpoint& checkpoint);

/// Reads one of them: its tensors become entries named "FILE:NAME" of Checkpoint::companions, its
/// other values `loaded` ones of Checkpoint::values.
Result<void> read_companion(Checkpoint& checkpoint, const std::string& directory,
                            const std::string& name);

}  // namespace samebits
