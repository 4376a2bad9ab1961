// Directories of weights that are read by no loader of one file: distributed checkpoints of
// torch, DeepSpeed, FSDP and Megatron, by the names of their files.
//
// Source: torch/distributed/checkpoint/filesystem.py of torch 2.13, deepspeed/runtime/engine.py and
// zero_to_fp32.py of DeepSpeed 0.18, accelerate/utils/fsdp_utils.py of accelerate 1.12,
// megatron/training/checkpointing.py. Reads names only, of the directory and of those in it.
#pragma once

#include <optional>
#include <string>

#include "samebits/base/error.h"

namespace samebits {

/// What the directory is and what to do with it; nothing where it is none of these.
std::optional<Error> find_distributed(const std::string& directory);

/// Weights of a library that are not read, by the name of a file: Flax, TensorFlow, Orbax.
std::optional<Error> find_foreign_weights(const std::string& directory);

/// "It lies beside model.ckpt.index: ..." of a file of raw numbers whose description is another
/// file; "" where there is none.
std::string hint_beside(const std::string& file);

}  // namespace samebits
