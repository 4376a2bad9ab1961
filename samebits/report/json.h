// A Report as JSON, schema "samebits.report/1". Documented key by key in docs/json.md.
#pragma once

#include <string>

#include "samebits/base/json.h"
#include "samebits/explain/report.h"

namespace samebits {

/// The version of this program, "0.1.0".
const char* tool_version();

/// Every key is always present; what a subject does not carry is null. NaN and infinities are
/// strings. Strings may hold bytes that are no UTF-8: dump with json_text(). Requires findings with
/// identifiers of explain/causes.h.
Json render_json(const Report& report);

/// The same as text: two spaces of indent, a final newline, valid UTF-8 (other bytes become
/// U+FFFD).
std::string json_text(const Report& report);

/// What is wrong with a command line that could not be read, schema "samebits.error/1". `command`
/// is
/// "" where it is of no command, `help` where no text of help says more.
std::string error_json_text(const std::string& command, const std::string& error,
                            const std::string& help);

/// Any value as such text.
std::string json_lines(const Json& value);

}  // namespace samebits
