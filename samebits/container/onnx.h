// The tensors of an ONNX model: initializers and the values of Constant nodes, of the graph and of
// those inside it.
//
// Source: onnx 1.23 (onnx.proto: ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto;
// external_data_helper.py). Bytes are protobuf's wire format, read without recursion deeper than
// kDeepestGraph. Does not read: functions, training graphs, sparse initializers, texts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"
#include "samebits/tensor/tensor.h"

namespace samebits {

struct OnnxTensor {
  std::string name;
  DType dtype = DType::float32;
  Shape shape;
  bool is_constant = false;            // the value of a Constant node
  std::uint64_t offset = 0;            // in the model's file, of its bytes
  Bytes bytes;                         // row-major, little-endian; empty where they are elsewhere
  std::vector<std::uint8_t> unpacked;  // the same, where the file has them as varints
  std::string location;                // of external data: a file beside the model
  std::uint64_t external_offset = 0;
  std::optional<std::uint64_t> external_length;
  std::string unreadable;  // why its values are not read; "" where they are
};

struct OnnxModel {
  std::uint64_t ir_version = 0;
  std::string producer;  // "pytorch 2.13.0"
  std::vector<OnnxTensor> tensors;
  std::vector<Bytes> program;  // what is no tensor's data: nodes, inputs, versions
  std::size_t left_out = 0;    // sparse initializers, and functions
};

/// Errors: malformed, truncated, limit, unsupported.
Result<OnnxModel> read_onnx(Bytes bytes, const std::string& file);

}  // namespace samebits
