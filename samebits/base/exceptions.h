// What the standard library throws where the system has no memory, as an Error: at the boundaries
// of the library errors are values.
#pragma once

#include <exception>
#include <string>

#include "samebits/base/error.h"

namespace samebits {

/// What a person reads where memory ran out; needs none itself.
inline constexpr const char* kNoMemory = "not enough memory";

/// The exception that is being handled: memory for std::bad_alloc and std::length_error, io with
/// its own words for any other. To be called in a handler.
Error error_of_exception(const std::string& file);

/// make(), which gives a Result; an exception becomes its error.
template <class Make>
auto caught(const std::string& file, Make make) -> decltype(make()) {
  try {
    return make();
  } catch (const std::exception&) {
    return fail(error_of_exception(file));
  }
}

}  // namespace samebits
