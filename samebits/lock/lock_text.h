// A lock as the text of its file, and back. Format: docs/lock.md.
#pragma once

#include <string>

#include "samebits/lock/lock.h"

namespace samebits {

/// JSON with one line for each tensor. The same for equal locks.
std::string lock_text(const Lock& lock);

/// Errors: those of parse_json; malformed where it is JSON of another form; unsupported for another
/// version or algorithm; inconsistent where its digests are not those of its tensors.
Result<Lock> parse_lock(Bytes text, const std::string& file);

}  // namespace samebits
