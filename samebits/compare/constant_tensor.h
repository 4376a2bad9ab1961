// Tensors all of whose elements are equal: zero biases, unit norms, values that nobody wrote.
#pragma once

#include <optional>
#include <string_view>

#include "samebits/tensor/tensor.h"

namespace samebits {

/// No two elements have unlike bytes: so has a tensor of one element, or of none. Constants are no
/// evidence of where a tensor comes from. Ends at the first element that is another.
bool is_constant(const TensorView& view);

/// That element as a number, where the type is floating and there is one; nothing where the tensor
/// is not constant.
std::optional<double> constant_value(const TensorView& view);

/// The same type, and the same bytes in the first element.
bool same_first(const TensorView& a, const TensorView& b);

/// The same sizes in the same order, but for those of 1.
bool same_but_for_ones(const Shape& a, const Shape& b);

/// Of two constants whether they have one value, and names that end in one word ("q_bias",
/// "query.bias").
bool may_be_one_constant(std::string_view name_a, const TensorView& a, std::string_view name_b,
                         const TensorView& b);

}  // namespace samebits
