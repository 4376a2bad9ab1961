// Which of a file's candidates is the model.
#pragma once

#include <string>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// Sets chosen and choice_reason, and the names of the chosen candidate's tensors. `key` "" takes
/// the first. A checkpoint without candidates is left alone. Errors: usage where no candidate has
/// that key; the hint lists those there are.
Result<void> choose_weights(Checkpoint& checkpoint, const std::string& key);

/// Whether --key said which of several candidates is meant.
bool is_chosen_by_key(const Checkpoint& checkpoint);

}  // namespace samebits
