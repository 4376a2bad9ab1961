// Text between the library, where it may be any bytes, and Python.
#pragma once

#include <string>
#include <string_view>

#include <nanobind/nanobind.h>

namespace samebits::python {

/// Bytes that are no UTF-8 become lone surrogates, as in Python's own file names.
nanobind::str text_of(std::string_view bytes);
/// None for "".
nanobind::object text_or_none(std::string_view bytes);

/// A path as os.fsencode() gives it, or any other text in bytes.
std::string string_of(const nanobind::bytes& bytes);

}  // namespace samebits::python
