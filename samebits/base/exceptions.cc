#include "samebits/base/exceptions.h"

#include <new>
#include <stdexcept>

namespace samebits {

Error error_of_exception(const std::string& file) {
  try {
    throw;
  } catch (const std::bad_alloc&) {
  } catch (const std::length_error&) {  // of a container that no memory could hold
  } catch (const std::exception& other) {
    return {.code = ErrorCode::io, .what = other.what(), .file = file};
  }
  return {.code = ErrorCode::memory,
          .what = kNoMemory,
          .file = file,
          .hint = "Free some, or raise the limit that this process has"};
}

}  // namespace samebits
