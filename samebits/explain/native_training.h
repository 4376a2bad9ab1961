// What samebits resume says of a checkpoint that samebits train wrote: everything is in it, or it
// is damaged.
#pragma once

#include <optional>

#include "samebits/explain/resume_facts.h"

namespace samebits {

/// Whether samebits train wrote it, by the name of its state.
bool is_native_training(const Checkpoint& checkpoint);

/// Nothing where the directory is none of train's. Reads every byte of it: a file that is not what
/// was written is a row that was not read.
std::optional<ResumeRows> native_training_rows(const Checkpoint& checkpoint);

}  // namespace samebits
