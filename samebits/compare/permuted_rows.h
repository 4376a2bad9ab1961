// Whether one tensor is another with its rows, or its columns, in another order.
#pragma once

#include <string>

#include "samebits/tensor/tensor.h"

namespace samebits {

/// "rows permuted", "blocks of 16 rows permuted" (heads), the same of columns, or "". Rows are
/// slices along dimension 0, columns along dimension 1. `norm_ratio` is |B| / |A|, which tells most
/// pairs apart without reading them. Of more than 2^24 rows that they are permuted is all it says.
std::string permutation_pattern(const TensorView& a, const TensorView& b, double norm_ratio,
                                int threads);

}  // namespace samebits
