// What a conversion is asked for in words: on the command line, or from Python.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "samebits/convert/convert.h"

namespace samebits {

struct ConvertWords {
  std::string format;      // "hf", "timm:VisionTransformer"
  std::string dtype;       // "bfloat16"; "" keeps every tensor's own
  std::string shard_size;  // "5GB"; "" writes one file
};

/// Puts what they mean into the request. Errors: usage, for words that mean nothing, and for
/// options of the request that its format does not have.
Result<void> read_words(const ConvertWords& words, ConvertRequest* request);

/// "5GB", "500MB", "100KB" or bytes, decimal as in huggingface_hub; nothing for another text.
std::optional<std::uint64_t> parse_size(std::string_view text);

}  // namespace samebits
