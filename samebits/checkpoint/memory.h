// What a program holds in memory, as a Checkpoint: tensors, as a bare state dict is as a file, or
// an object whose pickle was made without its storages, as torch.save(module) is.
#pragma once

#include <cstdint>
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

/// A storage under the key by which the pickle's persistent ids name it. Borrowed likewise.
struct MemoryStorage {
  std::string key;
  Bytes bytes;
};

/// Reads the pickle as it reads that of a file, and executes as little. Errors: malformed where it
/// is none; those of read_main_object().
Result<Checkpoint> checkpoint_of_pickle(const std::string& name, std::vector<std::uint8_t> pickle,
                                        const std::vector<MemoryStorage>& storages);

}  // namespace samebits
