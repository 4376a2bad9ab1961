// How a conversion leaves the program: of convert, and of check --write.
#pragma once

#include "samebits/cli/options.h"
#include "samebits/convert/convert.h"
#include "samebits/convert/repair.h"

namespace samebits {

/// "wrote out.safetensors: 78 tensors, ..."; with --json an object of the schema
/// samebits.convert/1.
std::string conversion_text(const Converted& done, const std::string& input, bool json);

/// The same, then "104 of 104 tensors load ...; outputs are bit-identical to those of ...".
std::string repair_text(const Repaired& done, const std::string& input, bool json);

/// "5GB", "500MB", "100KB" or bytes, decimal as in huggingface_hub; nothing for another text.
std::optional<std::uint64_t> parse_size(std::string_view text);

}  // namespace samebits
