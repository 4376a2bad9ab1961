// What identifies a model, as one value: a digest for each tensor, and digests of them together.
//
// docs/lock.md specifies every digest so that others can compute it. Nothing here depends on a
// path, a container, an order of tensors, shards or a date. Does not cover: optimizer state,
// generator states, tensors that belong to no weights.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

enum class LockAlgorithm : std::uint8_t { sha256, xxh3_128 };
const char* algorithm_name(LockAlgorithm algorithm);  // "sha256", "xxh3-128"
std::optional<LockAlgorithm> algorithm_from_name(std::string_view name);

struct LockedTensor {
  std::string name;
  DType dtype = DType::float32;
  Shape shape;
  std::string digest;    // of its row-major little-endian bytes, lower-case hex
  std::string identity;  // as StoredTensor::identity
  std::string tied_to;   // the first name, in the order of names, of the same elements; "" for none
  bool constant = false;  // all elements are equal: its bytes do not tell where it belongs
};

/// Of the modules of a pickle.
struct LockedModules {
  std::size_t count = 0;
  std::vector<std::string> training;  // paths of those in training mode, sorted
  std::string digest;                 // of their classes and attributes, as samebits reads them
};

struct Lock {
  LockAlgorithm algorithm = LockAlgorithm::sha256;
  /// Each sorted by name. What state_dict() holds; what it leaves out; what a framework loads
  /// beside the first model.
  std::vector<LockedTensor> tensors, buffers, companions;
  std::map<std::string, std::string> values;  // no tensors, but loaded: digests, as samebits reads
  Json config, preprocessing, adapter;        // objects, or null
  std::optional<LockedModules> modules;
  /// Of a TorchScript archive's code, or of a graph but for its tensors (ONNX, .pt2); "" elsewhere.
  std::string code;
};

/// Reads every byte of the weights, on `threads` threads. Requires weights. Errors: inconsistent
/// where a tensor has no bytes, or two have one name.
Result<Lock> make_lock(const Checkpoint& checkpoint, LockAlgorithm algorithm, int threads);

/// Of all tensors of state_dict(), whatever their names and order.
std::string contents_digest(const Lock& lock);
/// Of all tensors of state_dict() with their names.
std::string named_digest(const Lock& lock);
/// Of a JSON value in the canonical form of docs/lock.md.
std::string value_digest(LockAlgorithm algorithm, const Json& value);

/// The canonical form: equal for equal values, whatever the order of keys and the spelling.
std::string canonical_form(const Json& value);

/// Of the given bytes, as lower-case hex.
std::string digest_text(LockAlgorithm algorithm, std::string_view text);
/// Of a tensor.
std::string digest_text(LockAlgorithm algorithm, const TensorView& view);

}  // namespace samebits
