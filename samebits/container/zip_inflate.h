// Inflating one record of a zip archive, within bounds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"
#include "samebits/container/zip.h"

namespace samebits::zip {

/// Fills `buffer` with exactly entry.size bytes, inflated from `deflated`. Errors: limit (beyond
/// kLimits.inflate_bytes, or more than deflate can give), inconsistent (more or fewer bytes than
/// declared), malformed, truncated.
Result<void> inflate_entry(const ZipEntry& entry, Bytes deflated, const std::string& path,
                           std::vector<std::uint8_t>& buffer);

}  // namespace samebits::zip
