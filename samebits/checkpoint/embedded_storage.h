// Storages inside a pickle, as pickle.dump() writes them: each a legacy stream of torch.save of its
// own, given to torch.storage._load_from_bytes.
//
// Source: torch/storage.py (`TypedStorage.__reduce__`, `_load_from_bytes`) and
// torch/serialization.py (`_legacy_save`) of torch 2.13. Nothing but a single storage is read: what
// else such bytes could hold is left to whoever lists what loading would call.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "samebits/checkpoint/torch_storage.h"

namespace samebits {

/// The argument of a call of _load_from_bytes; nothing where the node is none.
std::optional<NodeId> embedded_argument(const pickle::Tree& tree, NodeId node);

struct EmbeddedStorage {
  StorageId id;
  Bytes elements;  // part of what it was read from
};

/// Reads such a stream. Errors: malformed, truncated, and unsupported where it holds anything but
/// one storage, or calls anything. `file` and `base`, the byte of the file at which it begins, are
/// for errors.
Result<EmbeddedStorage> read_embedded_storage(Bytes stream, const std::string& file,
                                              std::uint64_t base);

}  // namespace samebits
