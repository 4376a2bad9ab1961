// A safetensors file as part of a Checkpoint.
#pragma once

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// Adds the tensors of checkpoint.files[file] as entries of role weight, its metadata to producer,
/// and its bytes to the account. Errors: as SafetensorsFile::open.
Result<void> add_safetensors(Checkpoint& checkpoint, std::uint32_t file);

/// A single file: one candidate, kind safetensors, or trace where samebits wrote it.
Result<void> read_safetensors(Checkpoint& checkpoint, std::uint32_t file, const std::string& key);

}  // namespace samebits
