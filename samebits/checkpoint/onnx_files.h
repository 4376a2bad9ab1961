// An ONNX model as a Checkpoint: its initializers, and the external data beside it.
#pragma once

#include <string>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// True for a protobuf message with the fields of an ONNX model.
bool is_onnx_model(Bytes bytes);

/// One candidate of all initializers, kind onnx; values of Constant nodes are entries beside it.
/// What cannot be read of a tensor goes to Checkpoint::unread. External data are read where they
/// lie in the model's own directory. Errors: as read_onnx(), and usage.
Result<void> read_onnx_file(Checkpoint& checkpoint, std::uint32_t file, const std::string& key);

}  // namespace samebits
