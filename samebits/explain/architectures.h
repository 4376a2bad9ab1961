// Whether two files hold models of two architectures, by their names, shapes and values.
#pragma once

#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// The model types of two unlike architectures, "vit and gpt2", or "of unlike shapes" where the
/// files do not name them; "" where the weights may be of one.
std::string unlike_architectures(const Report& report, const WeightPair& pair);

}  // namespace samebits
