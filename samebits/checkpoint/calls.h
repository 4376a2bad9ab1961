// What a pickle would call when loaded, and which of those calls only put data together.
#pragma once

#include <string>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/container/pickle.h"

namespace samebits {

/// Adds the pickle's calls and imports to the checkpoint. Calls of the same global in the same way
/// are one entry with a count.
void add_calls(Checkpoint& checkpoint, const pickle::Pickle& pickle, std::uint32_t file);

/// Sorted by global, then how. Called once, when every pickle has been added.
void sort_calls(Checkpoint& checkpoint);

/// True where calling `global` ("module.name") only reconstructs data, whatever its arguments.
bool is_plain_call(const std::string& global);

/// True where `global` can act on the machine: start programs, import, evaluate, open files or
/// sockets. By the top of its module, and a list of built-in functions.
bool can_act(const std::string& global);

}  // namespace samebits
