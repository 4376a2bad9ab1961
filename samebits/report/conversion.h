// What a conversion says of what it wrote: of convert, and of check --write.
#pragma once

#include <string>

#include "samebits/convert/convert.h"
#include "samebits/convert/repair.h"

namespace samebits {

/// "wrote out.safetensors: 78 tensors, ..."; with --json an object of the schema
/// samebits.convert/1.
std::string conversion_text(const Converted& done, const std::string& input, bool json);

/// The same, then "104 of 104 tensors load ...; outputs are bit-identical to those of ...".
std::string repair_text(const Repaired& done, const std::string& input, bool json);

}  // namespace samebits
