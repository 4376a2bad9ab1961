// What samebits.record() of the Python module says of the inputs of a recorded pass.
#pragma once

#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// "x: other values of shape [2,8]": the first input of the model's own first call in which two
/// recordings differ, by its digest, type and shape. "" where none does, or a side does not say it.
std::string unlike_recorded_inputs(const Subject& a, const Subject& b);

}  // namespace samebits
