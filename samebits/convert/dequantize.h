// Quantized weights of a checkpoint replaced by the numbers that they say.
#pragma once

#include <string>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

struct DequantizedWeights {
  std::size_t count = 0;
  std::vector<std::string> forms;  // of them, without repeats
};

/// In the type and to the bit as their library gives them. Their scales, tables and the config's
/// quantization_config are gone. Errors: usage where no weight is quantized; unsupported where one
/// is of no form that is read exactly, by name; limit where they take more than
/// kLimits.dequantized_bytes.
Result<DequantizedWeights> dequantize_weights(Checkpoint& checkpoint);

/// unsupported, by name, where weights are quantized: a cast of their scales would change them.
Result<void> check_castable(const Checkpoint& checkpoint);

}  // namespace samebits
