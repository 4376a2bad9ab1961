#include "samebits/base/error.h"

#include <cstdio>
#include <cstdlib>

namespace samebits {

const char* error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::io: return "io";
    case ErrorCode::truncated: return "truncated";
    case ErrorCode::malformed: return "malformed";
    case ErrorCode::inconsistent: return "inconsistent";
    case ErrorCode::unsupported: return "unsupported";
    case ErrorCode::limit: return "limit";
    case ErrorCode::memory: return "memory";
    case ErrorCode::usage: return "usage";
  }
  SAMEBITS_CHECK(false);
  return "";
}

std::string to_string(const Error& error) {
  std::string text;
  if (!error.file.empty()) text += error.file + ": ";
  if (error.offset) text += "byte " + std::to_string(*error.offset) + ": ";
  text += error.what;
  if (!error.expected.empty() && !error.found.empty()) {
    text += " (expected " + error.expected + ", found " + error.found + ")";
  } else if (!error.expected.empty()) {
    text += " (expected " + error.expected + ")";
  } else if (!error.found.empty()) {
    text += " (found " + error.found + ")";
  }
  if (!error.hint.empty()) text += ". " + error.hint;
  return text;
}

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "samebits: internal error: %s is false at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace samebits
