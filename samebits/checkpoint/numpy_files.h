// .npy arrays, alone or as members of an .npz, as tensors of a Checkpoint.
#pragma once

#include <cstdint>
#include <string>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

struct NpyPart {
  std::uint32_t file = 0;
  Bytes bytes;             // from the magic on; must outlive the Checkpoint's use
  std::uint64_t base = 0;  // where bytes[0] stands in the file
  bool in_file = true;     // false: inflated
  std::string name;        // "" for a file of one array
};

/// Adds the array as an entry. Of an object array the calls of its pickle are read; a file that
/// holds one dict alone (numpy.save of a dict) is read as its pickle would be. Errors: as
/// read_npy_header and npy_view.
Result<void> add_npy(Checkpoint& checkpoint, const NpyPart& part);

/// Makes all arrays one candidate and sets the kind.
Result<void> choose_numpy(Checkpoint& checkpoint);

}  // namespace samebits
