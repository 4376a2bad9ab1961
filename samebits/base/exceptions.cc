#include "samebits/base/exceptions.h"

#include <new>
#include <stdexcept>

namespace samebits {

namespace {

Error no_memory(const std::string& file) {
  return {.code = ErrorCode::memory,
          .what = kNoMemory,
          .file = file,
          .hint = "Free some, or raise the limit that this process has"};
}

}  // namespace

Error error_of_exception(const std::string& file) {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return no_memory(file);
  } catch (const std::length_error&) {  // of a container that no memory could hold
    return no_memory(file);
  } catch (const std::exception& other) {
    return {.code = ErrorCode::io, .what = other.what(), .file = file};
  }
}

}  // namespace samebits
