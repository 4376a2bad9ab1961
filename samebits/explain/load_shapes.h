// Tensors that have another shape in the target than in the checkpoint: what they are by their
// names and sizes, and what mends each kind.
//
// Source: transformers resize_token_embeddings(). Looks at no values.
#pragma once

#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// What to do with all of a load's mismatched tensors.
std::string shapes_remedy(const LoadReport& load);

/// "64 x 3 x 8 x 8", a size that nothing says as "?".
std::string sizes_text(const Shape& shape);

}  // namespace samebits
