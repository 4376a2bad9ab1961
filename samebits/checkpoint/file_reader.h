// One file, told by its content, read into a Checkpoint.
#pragma once

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/checkpoint/torch_files.h"

namespace samebits {

/// Errors: unsupported where the content is nothing that is read here (the error says what it looks
/// like), else those of the reader that takes it. A pickle that breaks after naming something to
/// call is no error: the names are kept and the break goes to Checkpoint::unread.
Result<void> read_file(Checkpoint& checkpoint, const FilePart& part);

}  // namespace samebits
