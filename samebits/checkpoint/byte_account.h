// Where every byte of a checkpoint's files goes.
#pragma once

#include <cstdint>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// Notes that a range of a file is used so. Ranges may overlap and come in any order until
/// account_bytes().
void use_bytes(Checkpoint& checkpoint, std::uint32_t file, std::uint64_t begin, std::uint64_t end,
               ByteUse use);

/// Adds the tensors' ranges, settles overlaps (tensors win over structure), and fills what is left:
/// padding where a gap is shorter than 64 bytes, in front of a tensor and all zero, else
/// unreferenced. Afterwards Checkpoint::bytes covers every file exactly.
void account_bytes(Checkpoint& checkpoint);

}  // namespace samebits
