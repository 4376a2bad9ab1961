// What a tensor's values are after rounding: to find the partner of one that was rounded.
#pragma once

#include "samebits/tensor/digest.h"
#include "samebits/tensor/tensor.h"

namespace samebits {

/// Digest of the values, rounded to `type` and written as float64. Equal for two tensors of
/// whatever types whose values round to the same. Requires a type of the tensor that
/// can_round_to(), and such a `type`.
Digest128 rounded_digest(const TensorView& view, DType type);

/// The same of the first few hundred elements: tells unlike tensors of one shape apart at once.
Digest128 rounded_sample(const TensorView& view, DType type);

/// True where the first few thousand elements have more than 16 values.
bool has_many_values(const TensorView& view);

}  // namespace samebits
