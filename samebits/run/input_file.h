// One tensor out of a file of inputs.
#pragma once

#include <string>
#include <vector>

#include "samebits/base/error.h"

namespace samebits {

struct InputTensor {
  std::vector<std::size_t> sizes;
  std::vector<float> values;
};

/// The float32 tensor called `name` of the file, or the only one that it has. Errors: those of
/// open_checkpoint(), usage where there is none, unsupported for another type.
Result<InputTensor> read_input_tensor(const std::string& path, const std::string& name);

/// "[2, 3, 32, 32]"
std::string sizes_text(const std::vector<std::size_t>& sizes);

}  // namespace samebits
