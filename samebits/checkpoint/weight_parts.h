// Weights of a training's directory that lie in parts: FSDP's sharded state dicts as accelerate and
// transformers' Trainer save them, DeepSpeed's ZeRO, and the safetensors shards of
// torch.distributed.checkpoint.
//
// Source: accelerate 1.15.0 utils/fsdp_utils.py (save_fsdp_model, save_fsdp_optimizer):
// pytorch_model_fsdp_0 and optimizer_0 are distributed checkpoints with one key each, further
// models and optimizers have further numbers. Files of single ranks (use_dcp=False,
// LOCAL_STATE_DICT) are not read.
#pragma once

#include <string>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// Folders of `directory` that are distributed checkpoints, START and a number by name, in order.
std::vector<std::string> numbered_dcp_folders(const std::string& directory,
                                              const std::string& start);

/// "pytorch_model_fsdp_0_rank3.bin" and the like: what one rank of FSDP wrote by itself.
bool is_fsdp_rank_file(const std::string& name);

/// True where read_weight_parts() finds something to read.
bool has_weight_parts(const std::string& directory);

/// Adds entries and candidates, and what else is loaded as a model. Errors: as those of the two
/// readers.
Result<void> read_weight_parts(Checkpoint& checkpoint, const std::string& directory);

/// Adds the state of optimizers that lies in folders of its own, as entries.
Result<void> read_optimizer_folders(Checkpoint& checkpoint, const std::string& directory);

}  // namespace samebits
