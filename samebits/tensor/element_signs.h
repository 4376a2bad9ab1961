// Conjugates and negatives of elements, as torch makes them when it reads a lazy view.
//
// Source: torch 2.13's resolve_conj() and resolve_neg(): integers wrap around, of floating point
// the sign bit turns. The payload of a NaN stays, where torch may give another one.
#pragma once

#include <cstdint>
#include <span>

#include "samebits/tensor/dtype.h"

namespace samebits {

/// Bytes of the real numbers that an element consists of: 4 for complex64, else its size.
std::uint64_t component_size(DType dtype);

/// Whether torch negates elements of this type: not bool, the narrow floats, or unsigned integers
/// of more than a byte.
bool has_negatives(DType dtype);

/// Turns the elements at `bytes`, little-endian, one after another. Requires a complex type for
/// `conjugated`, has_negatives(dtype) for `negated`.
void turn_signs(DType dtype, bool conjugated, bool negated, std::span<std::uint8_t> bytes);

}  // namespace samebits
