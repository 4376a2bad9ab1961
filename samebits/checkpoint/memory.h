// Tensors that a program holds in memory, as a Checkpoint: what a bare state dict is as a file.
#pragma once

#include <string>
#include <vector>

#include "samebits/base/error.h"
#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// The bytes are borrowed: they must outlive the Checkpoint, and stay as they are.
struct MemoryTensor {
  std::string name;
  DType dtype = DType::float32;
  Shape shape;
  Strides strides;           // in elements
  std::uint64_t offset = 0;  // in elements, from the start of `storage`
  Bytes storage;             // of equal ones tensors share their elements: tied weights
  bool has_values = true;    // false: torch's meta device
  bool conjugated = false, negated = false;
  bool transient = false;  // a buffer that state_dict() leaves out
};

/// `name` stands where a file has its path. Errors: those of TensorView::make(), with the tensor's
/// name.
Result<Checkpoint> checkpoint_of_tensors(const std::string& name,
                                         const std::vector<MemoryTensor>& tensors);

}  // namespace samebits
