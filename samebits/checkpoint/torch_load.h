// What torch.load() as it is called by default, weights_only=True and no map_location, makes of a
// checkpoint's files.
//
// Source: torch/serialization.py of torch 2.13.0 (`load`, `_load`, `_legacy_load`).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// A file that torch.load() refuses. All three empty: it takes the file.
struct LoadRefusal {
  std::uint32_t file = 0;              // index into Checkpoint::files
  std::vector<std::string> globals;    // sorted; what add_safe_globals() would have to be given
  std::vector<std::string> obstacles;  // what no list of names mends, each a clause
  bool archive = false;  // TorchScript, or a tar of 2016: refused for what it is, names or not
};

/// The files of the chosen weights that torch.save() wrote and torch.load() refuses. Bare pickles
/// and other formats are nothing that torch.load() is given.
std::vector<LoadRefusal> find_refusals(const Checkpoint& checkpoint);

/// Where the tensors lay when they were saved, sorted, each once: "cpu", "cuda:0". Empty where the
/// format has no devices.
std::vector<std::string> devices(const Checkpoint& checkpoint);

/// Those that torch.load() needs map_location for where the machine has no such device.
bool needs_map_location(const std::string& device);

}  // namespace samebits
