// What a pickle would call or change when loaded, and which of that only puts data together.
#pragma once

#include <string>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/container/pickle.h"

namespace samebits {

/// Adds the pickle's calls, changes and imports to the checkpoint. Those of the same global in the
/// same way are one entry with a count, plain and other ones apart. Linear in the pickle.
///
/// A change (SETITEM, APPEND, ADDITEMS, BUILD and their like) of what the pickle itself made of
/// data is no entry. One of anything else is listed as a call of what it goes through.
void add_calls(Checkpoint& checkpoint, const pickle::Pickle& pickle, std::uint32_t file);

/// Bytes that begin at `base` of the file, and where in them a pickle has ended.
struct Following {
  Bytes bytes;
  std::string path;
  std::uint64_t base = 0, position = 0;
  std::uint32_t file = 0;
};

/// Adds what pickles that follow a first one would call: pickle.load() in a loop would run them,
/// too. Returns the end of the last one that is whole.
std::uint64_t add_following_calls(Checkpoint& checkpoint, const Following& rest);

/// Sorted by global, then how. Called once, when every pickle has been added.
void sort_calls(Checkpoint& checkpoint);

}  // namespace samebits
