#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "samebits/base/exceptions.h"
#include "samebits/kernels/kernel_choice.h"
#include "samebits/python/bindings.h"
#include "samebits/python/input_argument.h"
#include "samebits/python/text.h"
#include "samebits/python/work.h"
#include "samebits/run/run_request.h"
#include "samebits/run/trace.h"

namespace samebits::python {
namespace {

namespace nb = nanobind;
using namespace nb::literals;

struct Ran {
  VitOutputs outputs;
  std::vector<std::string> assumed;
};

RunRequest run_request(const nb::dict& asked) {
  const auto path = [&](const char* key) { return string_of(nb::cast<nb::bytes>(asked[key])); };
  RunRequest request{.model = path("model"),
                     .key = nb::cast<std::string>(asked["key"]),
                     .config_path = path("config"),
                     .fields = json_argument(nb::cast<std::string>(asked["fields"])),
                     .input = input_request(nb::cast<nb::dict>(asked["input"])),
                     .only = nb::cast<std::vector<std::string>>(asked["only"]),
                     .threads = thread_count(nb::cast<int>(asked["threads"]))};
  if (!asked["noise"].is_none()) request.noise = input_tensor(asked["noise"]);
  request.noise_seed = nb::cast<std::uint64_t>(asked["noise_seed"]);
  request.mask_ratio = nb::cast<std::optional<double>>(asked["mask_ratio"]);
  request.dropout_seed = nb::cast<std::optional<std::uint64_t>>(asked["train"]);
  return request;
}

Result<Ran> run_now(const RunRequest& request) {
  SAMEBITS_TRY(PreparedRun run, prepare_run(request));
  ThreadPool pool(request.threads);
  const Engine engine{*default_kernels().kernels, pool};
  SAMEBITS_TRY(VitOutputs outputs, run.forward(engine));
  return Ran{std::move(outputs), std::move(run.assumed)};
}

/// A numpy array that owns a copy.
nb::object array_of(const NamedArray& array) {
  const Published published(array);
  const Bytes bytes = published.bytes();
  auto* copy = new std::vector<std::uint8_t>(bytes.begin(), bytes.end());
  const nb::capsule owner(
      copy, [](void* p) noexcept { delete static_cast<std::vector<std::uint8_t>*>(p); });
  if (published.dtype() == DType::int64)
    return nb::cast(nb::ndarray<nb::numpy, std::int64_t>(copy->data(), array.shape.size(),
                                                         array.shape.data(), owner));
  return nb::cast(
      nb::ndarray<nb::numpy, float>(copy->data(), array.shape.size(), array.shape.data(), owner));
}

/// (outputs by name, what was assumed, images whose noise has ties)
nb::tuple run_model(const nb::dict& asked) {
  const RunRequest request = run_request(asked);
  const Ran ran =
      value_of(apart([&] { return caught(request.model, [&] { return run_now(request); }); }));
  nb::dict outputs;
  for (const NamedArray& array : ran.outputs.arrays)
    outputs[nb::str(array.name.c_str())] = array_of(array);
  nb::list assumed;
  for (const std::string& text : ran.assumed) assumed.append(text_of(text));
  return nb::make_tuple(outputs, assumed, ran.outputs.tied_images);
}

}  // namespace

void bind_runs(nb::module_& module) { module.def("run", run_model, "asked"_a); }

}  // namespace samebits::python
