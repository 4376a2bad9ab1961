// A GGUF file as a Checkpoint: plain tensors as they lie there, blocks as the float32 numbers that
// they stand for.
#pragma once

#include <string>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// One candidate, kind gguf. Blocks are read into memory, kLimits.dequantized_bytes in all; a
/// tensor past that, or of a type without a reader, goes to Checkpoint::unread. Errors: as
/// GgufFile::open, and usage.
Result<void> read_gguf(Checkpoint& checkpoint, std::uint32_t file, const std::string& key);

}  // namespace samebits
