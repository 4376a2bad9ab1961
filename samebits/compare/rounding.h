// Rounding to narrower floating-point types, to nearest even, as torch's casts do.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "samebits/tensor/dtype.h"

namespace samebits {

/// `value` rounded to `type`, as a double. Overflow gives infinity where the type has one, else
/// NaN; float64 goes by way of float32, as in torch. Requires a floating type that
/// has_element_values() and is not float8_e8m0fnu.
/// Sources: IEEE 754-2019; OCP 8-bit floating point specification 1.0; arXiv 2206.02915 (fnuz).
double round_to(DType type, double value);

/// What torch 2.13.0 makes of a number beyond the type's range instead: of float8_e4m3fn the
/// largest number, with its sign. NaN where the value is in range, or the type is another.
double saturated(DType type, double value);

/// Rounds numbers in place; the same bits as round_to(), for many at once.
void round_all(DType type, std::span<double> numbers);

/// Half the distance of neighbouring numbers of a type of 16 bits or more, in units of the number:
/// what one rounding moves it by at most. 0 for other types.
double half_spacing(DType type);

/// True for the types that round_to() takes.
bool can_round_to(DType type);

/// The types narrower than `type` to which a checkpoint's values are rounded in practice, the
/// widest first: for float32 bfloat16, float16, float8_e4m3fn, float8_e5m2.
std::vector<DType> narrower_types(DType type);

}  // namespace samebits
