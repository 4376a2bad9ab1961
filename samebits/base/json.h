// JSON values, and a bounded parser for files that Python wrote.
//
// Includes the full nlohmann header: include it from .cc files, and <nlohmann/json_fwd.hpp> where a
// declaration suffices.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"

namespace samebits {

/// Keeps the order of keys, so that output is deterministic and reads like its source.
using Json = nlohmann::ordered_json;

/// Parses `text`, which begins at byte `base` of `file`. Depth and size are bounded by kLimits.
/// Python's bare NaN, Infinity and -Infinity become the strings "NaN", "Infinity", "-Infinity".
/// Duplicate keys are an error (`inconsistent`): Python keeps the last one, other readers the
/// first. Errors: malformed (offset of the first bad byte), inconsistent, limit.
Result<Json> parse_json(Bytes text, const std::string& file, std::uint64_t base = 0);

/// One line that never fails: what is no UTF-8 is replaced.
std::string json_text(const Json& value);

/// The items of a list in the order of their texts: for what has no order of its own.
Json in_order_of_text(Json items);

/// A value inside an error: ASCII, at most 60 characters; large lists and objects by their size.
std::string short_json(const Json& value);

/// A float as JSON by shortest round trip; NaN and infinities as the strings that parse_json gives.
Json json_number(double value);

}  // namespace samebits
