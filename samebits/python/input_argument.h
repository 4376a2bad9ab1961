// What a model is run on, as Python says it.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "samebits/base/json.h"
#include "samebits/run/run_request.h"

namespace samebits::python {

using FloatArray = nanobind::ndarray<const float, nanobind::c_contig, nanobind::device::cpu>;

/// A copy of an array of float32. Throws TypeError where it is no such array.
InputTensor input_tensor(nanobind::handle array);

/// Keys, all of them optional: images (list of paths in bytes), processor (path in bytes), pillow
/// (12 or 13), tensor (an array), randn (list of four sizes), seed.
InputRequest input_request(const nanobind::dict& input);

/// A value that Python wrote as JSON; null for "".
Json json_argument(const std::string& text);

}  // namespace samebits::python
