// What torch's rebuild functions in a pickle mean: a tensor of such a type, shape and strides over
// such a storage.
//
// Source: torch/_utils.py, torch/_tensor.py, torch/serialization.py of torch 2.13, and their
// ancestors back to 0.1 (2016). Covers strided tensors of every dtype, parameters (with state),
// quantized, sparse, nested and meta tensors, subclasses by their parts. Nothing is called.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "samebits/checkpoint/sparse_part.h"
#include "samebits/checkpoint/torch_storage.h"
#include "samebits/checkpoint/tree_view.h"
#include "samebits/tensor/tensor.h"

namespace samebits {

/// One strided tensor of which a tensor consists: the tensor itself, or the indices and values of a
/// sparse one.
struct TensorPart {
  std::string suffix;  // "" for the tensor itself, "indices", "values", ...
  TensorView view;
  const StorageRecord* storage = nullptr;  // nothing for a meta tensor
  std::uint64_t offset = 0;                // byte in the file of the first element
  std::string device;
  std::string note;
  std::optional<SparsePart> sparse;
  /// What belongs to the tensor besides type, shape and elements, as text: equal elements with
  /// another scale, another dense size or another state of a subclass are another tensor. "" for
  /// plain tensors.
  std::string identity;
};

struct TorchTensor {
  std::vector<TensorPart> parts;
  bool is_parameter = false;
  bool requires_grad = false;
};

/// True where the node is a call of one of torch's tensor-making functions, or a persistent id of a
/// tensor (tar of 2016: a bare key); readable or not.
bool is_tensor(const pickle::Tree& tree, NodeId node);

/// False where the node is a tensor that no generator's get_state() gives: of other than one
/// dimension, or of another type than bytes.
bool may_be_generator_state(const pickle::Tree& tree, NodeId node);

/// Requires is_tensor(). Errors: malformed (arguments of the wrong kind), truncated (a view past
/// its storage, a storage that is not in the file), inconsistent (numel of the storage and its
/// record disagree), unsupported. `file` names it in errors.
Result<TorchTensor> read_tensor(const pickle::Tree& tree, NodeId node, const StorageTable& storages,
                                const std::string& file);

}  // namespace samebits
