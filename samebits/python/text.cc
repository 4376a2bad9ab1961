#include "samebits/python/text.h"

namespace samebits::python {

namespace nb = nanobind;

nb::str text_of(std::string_view bytes) {
  PyObject* text =
      PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "surrogateescape");
  if (text == nullptr) throw nb::python_error();
  return nb::steal<nb::str>(text);
}

nb::object text_or_none(std::string_view bytes) {
  return bytes.empty() ? nb::none() : nb::object(text_of(bytes));
}

std::string string_of(const nb::bytes& bytes) { return {bytes.c_str(), bytes.size()}; }

}  // namespace samebits::python
