// The JSON of a safetensors header as entries whose ranges are not yet held against each other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"
#include "samebits/container/safetensors.h"

namespace samebits {

struct SafetensorsHeader {
  SafetensorsFile file;                    // begin and end as in the header: from the data's start
  std::vector<std::uint64_t> key_offsets;  // of each entry's name in the file
};

/// `json` begins at byte `base` of the file `path`. Checked here: JSON, the fields and their types,
/// repeated names, and that shape times size of dtype is the length of the range.
Result<SafetensorsHeader> read_safetensors_header(Bytes json, const std::string& path,
                                                  std::uint64_t base);

}  // namespace samebits
