// A safetensors file: a checked header, and the tensors' byte ranges.
//
// Source: safetensors/README.md "Format" and safetensors/src/tensor.rs `Metadata::validate`. Where
// the two differ (leading white space in the header) this follows the code, which accepts it.
//
// Stricter than the reference where no writer goes and readers disagree: a repeated tensor name or
// metadata key (the reference takes the last), a tensor as a list of its three fields, a dtype as
// {"F32": null}, more than kLimits.dimensions, 63 bits of elements, or kLimits.safetensors_entries.
// F6_E2M3, F6_E3M2, and F4 with an odd last dimension, which torch cannot hold, are unsupported.
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
  Shape shape;  // torch's: the last dimension of F4 counts pairs, the header's counts halves
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
