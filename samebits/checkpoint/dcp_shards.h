// What torch.distributed.checkpoint writes as safetensors: each process its own file, which holds
// parts of tensors, and says in its metadata where they begin.
//
// Source: torch 2.13.0 distributed/checkpoint/hf_storage.py and _hf_utils.py. The metadata
// DCP_SHARDING_INFO is {"NAME": {"saved_offsets": [0, ...]}, ...}. With save_distributed the files
// are named shard-R-model-I-of-N.safetensors, R from 1. How large a tensor is stands nowhere: as
// for torch's reader, it ends where its last part does. So the loss of the last files cannot be
// seen; the loss of others leaves a hole.
#pragma once

#include <string>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// By the names of its files.
bool has_dcp_shards(const std::string& directory);

/// Entries and candidates; tensors of several parts are put together in memory. A tensor with a
/// hole goes to Checkpoint::unread. Errors: as SafetensorsFile::open, and malformed for offsets
/// that are none.
Result<void> read_dcp_shards(Checkpoint& checkpoint, const std::string& directory);

/// Of a file that was named alone: an oddity `incomplete` where its tensors are parts of larger
/// ones, or where other shards lie beside it.
void find_lone_dcp_shard(Checkpoint& checkpoint, std::uint32_t file);

/// "optim..." is state of an optimizer.
TensorRole dcp_role(const std::string& name);

/// The entries that are no optimizer's state: a candidate for each part under which people keep a
/// model ("model" of "model.0.weight", "app.model" of "app.model.0.weight"), else one for all.
void add_dcp_candidates(Checkpoint& checkpoint);

}  // namespace samebits
