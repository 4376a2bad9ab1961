#include "samebits/python/input_argument.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "samebits/base/mapped_file.h"
#include "samebits/container/little_endian.h"
#include "samebits/python/text.h"
#include "samebits/python/work.h"

namespace samebits::python {

namespace nb = nanobind;

InputTensor input_tensor(nb::handle array) {
  const auto values = nb::cast<FloatArray>(array, false);
  InputTensor tensor;
  for (std::size_t i = 0; i < values.ndim(); ++i) tensor.sizes.push_back(values.shape(i));
  tensor.values.assign(values.data(), values.data() + values.size());
  return tensor;
}

InputRequest input_request(const nb::dict& input) {
  InputRequest request;
  if (input.contains("images")) {
    for (const nb::handle image : nb::cast<nb::list>(input["images"]))
      request.images.push_back(string_of(nb::cast<nb::bytes>(image)));
  }
  if (input.contains("processor"))
    request.processor_path = string_of(nb::cast<nb::bytes>(input["processor"]));
  if (input.contains("pillow"))
    request.pillow =
        nb::cast<int>(input["pillow"]) == 12 ? PassOrder::pillow12 : PassOrder::pillow13;
  if (input.contains("tensor")) request.tensor = input_tensor(input["tensor"]);
  if (input.contains("randn")) request.randn = nb::cast<std::vector<std::size_t>>(input["randn"]);
  if (input.contains("seed")) request.seed = nb::cast<std::uint64_t>(input["seed"]);
  return request;
}

Json json_argument(const std::string& text) {
  if (text.empty()) return {};
  return value_of(parse_json(bytes_of_text(text), "the config"));
}

}  // namespace samebits::python
