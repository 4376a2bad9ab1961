// The storages of a torch file: which bytes of it each key names.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"
#include "samebits/checkpoint/tree_view.h"
#include "samebits/tensor/tensor.h"

namespace samebits {

struct StorageRecord {
  Bytes bytes;               // of the whole storage; borrows the file or Checkpoint::owned
  std::uint32_t file = 0;    // index into Checkpoint::files
  std::uint64_t offset = 0;  // of bytes[0] in that file; of the compressed data where `inflated`
  std::uint32_t id = 0;      // unique in the Checkpoint
  bool inflated = false;
  std::optional<Error> error;  // set: the file names this storage, but its bytes cannot be read
};

/// A tensor that the container itself describes (tar of 2016); the pickle names it by a persistent
/// id.
struct ContainerTensor {
  TensorView view;
  StorageRecord storage;
};

/// The text or number of an id or key, as text; nothing for anything else.
std::optional<std::string> key_of_id(const pickle::Tree& tree, NodeId node);

/// ("storage", type, key, location, numel, view) of a persistent id.
struct StorageId {
  std::string key;
  DType dtype = DType::uint8;  // of the typed storage; uint8 for UntypedStorage
  bool untyped = false;
  std::string device;
  std::uint64_t numel = 0;
  std::optional<std::pair<std::uint64_t, std::uint64_t>>
      view;  // legacy: (offset, numel) in elements inside the storage
};
/// Nothing where the node is no such id.
std::optional<StorageId> read_storage_id(const pickle::Tree& tree, NodeId node);

/// Filled by the reader of a container, asked by the meaning of its pickle.
struct StorageTable {
  std::map<std::string, StorageRecord> by_key;
  std::map<NodeId, StorageId> by_node;             // of storages that are no persistent ids
  std::map<std::string, ContainerTensor> tensors;  // by persistent id; tar only
  bool big_endian = false;
  const StorageRecord* find(const std::string& key) const {
    const auto found = by_key.find(key);
    return found == by_key.end() ? nullptr : &found->second;
  }
  /// The storage that a node stands for; nothing where it is none.
  std::optional<StorageId> id_of(const pickle::Tree& tree, NodeId node) const;
};

}  // namespace samebits
