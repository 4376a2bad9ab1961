// An unpickled object as part of a Checkpoint: its tensors by path, candidates for weights,
// modules, config, training state.
#pragma once

#include <optional>
#include <string>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/checkpoint/torch_storage.h"
#include "samebits/checkpoint/tree_view.h"

namespace samebits {

struct TorchObject {
  const pickle::Tree& tree;
  NodeId root;
  const StorageTable& storages;
  std::uint32_t file;  // index into Checkpoint::files
  std::string
      prefix;  // put in front of every path; "" but for files beside the weights ("optimizer.pt:")
  /// The pickle, where a program holds it and no file does. Borrows.
  std::optional<Bytes> in_memory{};
};

/// The file's main object: fills entries, candidates, kind, modules, config, training, producer.
/// Parts that cannot be read go to Checkpoint::unread. `key` names the candidate to take, "" for
/// the preferred one. Errors: usage where no candidate has that key.
Result<void> read_main_object(Checkpoint& checkpoint, const TorchObject& object,
                              const std::string& key);

/// A file beside the weights (optimizer.pt, rng_state.pth): entries only, all of role `role`.
void read_side_object(Checkpoint& checkpoint, const TorchObject& object, TensorRole role);

}  // namespace samebits
