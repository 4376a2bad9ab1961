// JSON as a sequence of events with their places in the file: memory does not grow with the text,
// apart from the longest string.
//
// Source: RFC 8259 as nlohmann-json's lexer reads it (strict UTF-8, no comments, no byte order
// mark). No value of the library escapes from here, and no exception.
#pragma once

#include <cstdint>
#include <string>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"

namespace samebits {

/// Receives the events in the order of the text. The first error that a method returns ends the
/// scan and becomes its result; the scan adds the file where it is missing. Strings may be moved
/// from.
class JsonHandler {
 public:
  virtual ~JsonHandler() = default;
  virtual Result<void> null() = 0;
  virtual Result<void> boolean(bool value) = 0;
  virtual Result<void> unsigned_integer(std::uint64_t value) = 0;
  virtual Result<void> signed_integer(std::int64_t value) = 0;  // with a minus sign, "-0" included
  virtual Result<void> real(double value) = 0;                  // finite
  virtual Result<void> text(std::string& value) = 0;
  virtual Result<void> begin_object() = 0;
  /// `offset` is where the key's opening quote stands in the file.
  virtual Result<void> key(std::string& name, std::uint64_t offset) = 0;
  virtual Result<void> end_object() = 0;
  virtual Result<void> begin_array() = 0;
  virtual Result<void> end_array() = 0;
};

struct JsonSyntax {
  std::uint32_t depth = 0;  // brackets open at once, at most
  /// Python's bare NaN, Infinity and -Infinity arrive as text of the same spelling.
  bool python_numbers = false;
};

/// Reads `text`, which begins at byte `base` of `file`. Errors: malformed (offset of the first bad
/// byte, or of the token that may not stand there), limit (too deep, or a number that no double
/// holds), and whatever the handler returns.
Result<void> scan_json(Bytes text, const std::string& file, std::uint64_t base, JsonSyntax syntax,
                       JsonHandler& handler);

}  // namespace samebits
