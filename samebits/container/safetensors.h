// A safetensors file: a checked header, and the tensors' byte ranges.
//
// Source: safetensors/README.md "Format" and safetensors/src/tensor.rs `Metadata::validate`. Where
// the two differ (leading white space in the header) this follows the code, which accepts it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"
#include "samebits/tensor/tensor.h"

namespace samebits {

struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::float32;
  Shape shape;
  std::uint64_t begin = 0;  // absolute in the file
  std::uint64_t end = 0;
};

struct SafetensorsFile {
  std::uint64_t header_bytes = 0;  // the JSON text, without the length before it
  std::vector<std::pair<std::string, std::string>> metadata;  // "__metadata__", in file order
  std::vector<SafetensorsEntry> entries;                      // in the order of the header

  /// True where the first 8 bytes are a plausible header length and a '{' (or white space) follows.
  /// A guess only.
  static bool looks_like(Bytes file);
  /// Everything is checked: length, UTF-8, JSON, duplicate keys, dtype, shape times itemsize =
  /// range, no overlap, no gap, no trailing bytes. Errors: truncated, malformed, inconsistent,
  /// limit, unsupported (an unknown dtype).
  static Result<SafetensorsFile> open(Bytes file, const std::string& path);
};

}  // namespace samebits
