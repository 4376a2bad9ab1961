// Where a loader ends with an error because of what the files hold, whatever the names and shapes.
//
// Source: transformers 4.57.6 and 5.24.0 modeling_utils.py (load_state_dict: safetensors' safe_open
// for a file whose name ends in .safetensors, torch.load(weights_only=True) for any other;
// _load_state_dict_into_meta_model), torch 2.13.0 nn/modules/module.py (_load_from_state_dict: what
// param.copy_() raises becomes a RuntimeError).
#pragma once

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/explain/report.h"
#include "samebits/family/classes.h"

namespace samebits {

/// The load ends with this error: nothing is left at random values, and no renaming helps.
void end_with_error(LoadReport& load, std::string raises, std::string remedy);

/// from_pretrained: files that hold another format than their names say, or what torch.load()
/// refuses, and metadata of safetensors that a version does not take.
void refuse_contents(const Checkpoint& checkpoint, LoadReport& load);

/// Either way: tensors that are copied into no plain parameter. Those without values (meta), sparse
/// ones, torch's quantized ones where the target has plain ones, integers for transformers 4.
void refuse_values(const Checkpoint& checkpoint, bool plain_target, LoadReport& load);

/// A class of transformers that the config's activation keeps from being built.
void refuse_activation(const Json& config, model::Library library, LoadReport& load);

/// A .bin that holds a list or tuple of (name, tensor) in the place of a dict.
bool is_list_of_pairs(const Checkpoint& checkpoint);

}  // namespace samebits
