// A GGUF file: names, types, shapes and places of tensors, and the fields before them.
//
// Source: ggml's docs/gguf.md, versions 2 and 3, and the gguf package 0.19.0 (gguf_reader.py).
// Dimensions stand in the file with the fastest one first, and here as everywhere with the slowest
// first. Does not read: version 1, big-endian files.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"
#include "samebits/base/json.h"
#include "samebits/tensor/tensor.h"

namespace samebits {

struct GgufTensor {
  std::string name;
  std::uint32_t type = 0;            // ggml's number: see gguf_blocks.h
  Shape shape;                       // in elements
  std::uint64_t begin = 0, end = 0;  // bytes in the file
};

struct GgufFile {
  std::uint32_t version = 0;
  std::vector<GgufTensor> tensors;  // in the order of the file
  Json fields = Json::object();     // numbers, booleans and texts of up to 1024 characters
  std::uint64_t header_bytes = 0;   // up to the first tensor's padding

  static bool looks_like(Bytes bytes);
  /// Errors: truncated, malformed, unsupported (versions, types), limit, inconsistent (tensors that
  /// overlap). Tensors of types that have no known size are left out, and named in `unknown`.
  static Result<GgufFile> open(Bytes bytes, const std::string& file);

  std::vector<std::string> unknown;  // "NAME: type 99"
};

}  // namespace samebits
