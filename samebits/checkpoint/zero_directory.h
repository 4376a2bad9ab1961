// A directory of DeepSpeed's ZeRO: weights in float32 in the optimizer's partitions, put together
// as DeepSpeed's own script does.
//
// Source: DeepSpeed 0.19.6 utils/zero_to_fp32.py, runtime/engine.py (_save_checkpoint,
// _save_zero_checkpoint), runtime/zero/stage_1_and_2.py and stage3.py (state_dict).
// mp_rank_00_model_states.pt (stage 3: zero_pp_rank_R_mp_rank_00_model_states.pt) holds names,
// shapes and buffers, zero_pp_rank_R_mp_rank_00_optim_states.pt rank R's part of the flat groups.
// Does not read: tensor or pipeline parallel models (mp_rank_01), experts, universal checkpoints.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// Files of one save, by name; `folder` is their directory.
struct ZeroFiles {
  std::string folder;
  std::string tag;  // of the folder in the directory that was named: "global_step6"; "" for itself
  std::vector<std::string> models, partitions;  // in the order of ranks
};

/// The save in `directory` itself, or the one that its file `latest` names. Nothing where there are
/// no such files; without partitions it is no ZeRO, and its weights are in `models`.
std::optional<ZeroFiles> find_zero(const std::string& directory);

/// Whose place among the ranks: 3 of "zero_pp_rank_3_mp_rank_00_optim_states.pt".
std::optional<int> rank_of_zero_file(const std::string& name);

/// Candidates: "fp32", the weights of the partitions, with buffers in float32 as zero_to_fp32
/// writes them; of stages 1 and 2 also "FILE:module", the weights that the model computes with. A
/// tensor in one partition is a view of its file, others are put together in memory. A partition
/// that is absent goes to Checkpoint::unread; in stage 3 it is an error. Errors: as read_file(),
/// unsupported, malformed, inconsistent.
Result<void> read_zero_weights(Checkpoint& checkpoint, const ZeroFiles& files);

}  // namespace samebits
