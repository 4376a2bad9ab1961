// Writes safetensors files.
//
// Format: https://github.com/huggingface/safetensors (README, "Format"). The header is padded with
// spaces so that the tensors begin at a multiple of 64 bytes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"
#include "samebits/tensor/dtype.h"
#include "samebits/tensor/tensor.h"

namespace samebits {

struct TensorToWrite {
  std::string name;
  DType dtype = DType::float32;
  Shape shape;
  Bytes bytes;  // row-major, little-endian; as many as dtype and shape need
};

/// The whole file appears under its name or none of it does. Errors: io, and inconsistent where two
/// tensors have one name.
Result<void> write_safetensors(const std::string& path, const std::vector<TensorToWrite>& tensors,
                               const std::map<std::string, std::string>& metadata);

}  // namespace samebits
