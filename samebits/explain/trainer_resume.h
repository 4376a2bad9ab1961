// What Trainer.train(resume_from_checkpoint=...) of transformers does with the weights of its own
// checkpoint.
//
// Source: transformers 4.57.6 and 5.24.0 trainer.py (_load_from_checkpoint: the file is given to
// load_state_dict(strict=False) of the model that the Trainer holds; what is missing is warned of
// and keeps that model's values) and trainer_utils.py (load_sharded_checkpoint: the same for
// shards). from_pretrained renames what it reads, and this does not.
#pragma once

#include "samebits/explain/report.h"
#include "samebits/model/predict_load.h"

namespace samebits {

/// True where the directory was written by a Trainer: trainer_state.json lies in it.
bool is_trainer_checkpoint(const Checkpoint& checkpoint);

/// The load that a resumed training makes of the checkpoint, whose weights have these shapes.
LoadReport resumed_load(const model::LoadTarget& target, const Checkpoint& checkpoint,
                        const std::vector<model::StoredShape>& shapes);

/// weights.reinitialized where that load, one of the report's, restores less than from_pretrained
/// does, which is the first.
void find_trainer_resume(Report& report);

/// The same for `checkpoint`, A: what from_pretrained does with it, and what a resumed training
/// does.
void find_lost_on_resume(Report& report, const Checkpoint& checkpoint, const LoadReport& pretrained,
                         const LoadReport& resumed);

/// The same for classes whose tables are not here, by the names alone: those that save_pretrained()
/// of transformers 5.24.0 writes and the modules of that version do not have.
std::vector<std::string> renamed_on_disk(const Checkpoint& checkpoint);
/// weights.reinitialized for these, where the report has some.
void find_renamed_on_disk(Report& report);

/// Of a directory as target whose files have such names, or may have: what the report says by the
/// names in the files is no answer about the model that transformers makes of it, and a gap says so
/// instead. For another directory of its type the answer is that of from_pretrained.
void leave_names_of_files(Report& report, const Checkpoint& target);

}  // namespace samebits
