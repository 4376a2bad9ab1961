// A directory of torch.distributed.checkpoint: tensors in pieces, and the pickle that says which
// piece lies where.
//
// Source: torch 2.13.0 distributed/checkpoint/metadata.py, filesystem.py (_StorageInfo),
// planner_helpers.py. `.metadata` is a pickle of Metadata; each item of a `.distcp` file is an
// archive of torch.save by itself. Does not read items with transforms (compressed ones). What
// HuggingFaceStorageWriter writes is read by dcp_shards.h.
#pragma once

#include <string>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/checkpoint/torch_files.h"

namespace samebits {

/// True where the directory has a .metadata, and no weights of transformers beside it.
bool is_dcp_directory(const std::string& directory);

/// Tensors of one piece are views of the mapped files; those of several are put together in memory,
/// which needs as much as they have bytes. Names as they were flattened: "model.0.weight". What
/// begins with "optim" is state of an optimizer; `key` names one of the first parts of the others.
/// What cannot be read of one tensor goes to Checkpoint::unread. Errors: io, malformed, limit, and
/// usage where no tensor stands under the key.
Result<void> read_dcp_directory(Checkpoint& checkpoint, const std::string& directory,
                                const std::string& key);

/// The directory as a companion: its tensors become entries with the prefix of `part`, without a
/// candidate, and `part.then` gets the value that was saved, put together again.
Result<void> read_dcp_part(Checkpoint& checkpoint, const std::string& directory,
                           const FilePart& part);

}  // namespace samebits
