// What two tensors of unlike sizes have in common: the rows of a table to which rows were added.
#pragma once

#include <string>

#include "samebits/tensor/tensor.h"

namespace samebits {

/// "the first 99 rows are equal bit for bit", "of the first 17 rows 1 is equal bit for bit", "no
/// row of the first 5 is equal", the same of channels or slices; "" where the shapes are equal or
/// have nothing in common, the types are not one, or a tensor is constant.
std::string common_part_text(const TensorView& a, const TensorView& b);

}  // namespace samebits
