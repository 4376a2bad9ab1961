// Whether two matrices differ by a product of two thin ones, as after merging a LoRA adapter.
//
// Method: Gaussian elimination with complete pivoting on at most 512 x 512 evenly spaced elements
// of the difference finds the rank, down to what rounding both sides leaves; the pivots' rows and
// columns then have to explain at most 512 evenly spaced whole rows (skeleton decomposition).
// Deterministic. Tensors of more dimensions count as matrices of their first one.
#pragma once

#include <cstdint>
#include <optional>

#include "samebits/tensor/tensor.h"

namespace samebits {

struct LowRank {
  std::uint32_t rank = 0;
  double residual = 0;  // largest element of the difference that the rank leaves unexplained
};

/// Nothing where the rank is above three quarters of the smaller side (or 384), where it is above a
/// quarter (or 128) and the last of it hardly stands out of the noise, where the difference is not
/// well above rounding, or the shapes or types have no such comparison.
std::optional<LowRank> low_rank_difference(const TensorView& a, const TensorView& b);

}  // namespace samebits
