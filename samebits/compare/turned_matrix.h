// Matrices of which one is the other times an orthogonal matrix: as where the space of a model's
// hidden states was turned, and its outputs are the same but for rounding.
//
// Shown by lengths alone: W Q has the lengths of W's rows, Q W those of its columns. Source:
// arXiv 2404.00456 (QuaRot), 2401.15024 (SliceGPT).
#pragma once

#include <cstdint>

#include "samebits/tensor/tensor.h"

namespace samebits {

enum class Turned : std::uint8_t { no, rows, columns };

/// What of two matrices of one shape has the same lengths. `no` where either is small or large,
/// where lengths hardly differ from one another (they then show nothing), or where neither agrees.
/// Requires has_element_values() of both types.
Turned turned_matrix(const TensorView& a, const TensorView& b);

}  // namespace samebits
