// Whether another attention kernel can be what makes two recorded runs part at a point.
#pragma once

#include <span>

#include "samebits/explain/report.h"

namespace samebits {

/// False where the point's module runs before any attention, or its own input was recorded and is
/// equal. `parting` is the first of `outputs` that differs.
bool attention_reaches(std::span<const OutputPair> outputs, std::size_t parting);

}  // namespace samebits
