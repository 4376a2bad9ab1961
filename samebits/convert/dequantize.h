// Quantized weights of a checkpoint replaced by the numbers that they say.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "samebits/base/scratch_file.h"
#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

struct DequantizedWeights {
  std::size_t count = 0;
  std::vector<std::string> forms;              // of them, without repeats
  std::shared_ptr<const ScratchFile> scratch;  // what the checkpoint borrows from afterwards
};

/// In the type and to the bit as their library gives them. Their scales, tables and the config's
/// quantization_config are gone. The numbers lie in a temporary file in `folder`. Errors: usage
/// where no weight is quantized; unsupported where one is of no form that is read exactly, by name;
/// those of ScratchFile.
Result<DequantizedWeights> dequantize_weights(Checkpoint& checkpoint, const std::string& folder);

/// unsupported, by name, where weights are quantized: a cast of their scales would change them.
Result<void> check_castable(const Checkpoint& checkpoint);

}  // namespace samebits
