// A directory as save_pretrained() and the transformers Trainer write it.
//
// Source: transformers/modeling_utils.py (order of preference: model.safetensors, its index,
// pytorch_model.bin, its index), trainer.py (optimizer.pt, scheduler.pt, scaler.pt, rng_state*.pth,
// trainer_state.json). Code named by auto_map is never run.
#pragma once

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/checkpoint/open.h"

namespace samebits {

/// Candidate::inside of a .bin that holds a whole module.
inline constexpr const char* kModuleInside = "a module";

/// Errors: io where no weights file is there (the hint says what was looked for); malformed or
/// inconsistent for an index that names files outside the directory or tensors that its shards do
/// not hold. A missing shard goes to Checkpoint::unread, and the index's names that it would hold
/// are listed unreadable.
Result<void> read_hf_directory(Checkpoint& checkpoint, const std::string& path,
                               const OpenOptions& options);

}  // namespace samebits
