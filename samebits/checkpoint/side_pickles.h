// Pickles beside the weights of a directory (training_args.bin, scheduler.pt, random_states_3.pkl):
// a loader of the directory may run them, too.
#pragma once

#include <string>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// Adds what the pickles of `directory` that are not in Checkpoint::files would call, where it is
/// neither plain nor the making of objects; everything that they import, to `imports`. Structure
/// only. Which files: by their extension, then by content. What breaks off or is left out by
/// kLimits.side_files goes to Checkpoint::unread. Folders inside are not entered.
void add_side_calls(Checkpoint& checkpoint, const std::string& directory);

}  // namespace samebits
