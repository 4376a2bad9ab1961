// How far numbers stand from what quantized weights say, in steps between neighbouring codes.
#pragma once

#include <cstdint>
#include <optional>

#include "samebits/quantized/quantized_weight.h"

namespace samebits {

/// What rounding to the nearest code leaves, in steps: a half, and a little for scales that were
/// rounded themselves. Arithmetic in bfloat16 and float16 adds to it: see step_error.cc.
constexpr double kOneRounding = 0.55;

struct StepError {
  double steps = 0;           // largest distance of a number from what its code says
  std::uint64_t beyond = 0;   // elements further from it than rounding goes
  std::uint64_t unequal = 0;  // elements that are not the very number that the library gives
  std::uint64_t elements = 0;
  double squared_error = 0, squared_norm = 0;  // of the difference, and of the numbers
};

/// The result does not depend on `threads`. Nothing where the shapes differ or the numbers are of
/// no real floating type. Requires fits().
std::optional<StepError> step_error(const QuantizedWeight& weight, const TensorView& numbers,
                                    int threads);

struct CodeDifference {
  std::uint64_t codes = 0;                      // elements whose codes differ
  std::uint64_t numbers = 0;                    // elements that say another number
  bool scales = false;                          // or zero points
  bool tables = false;                          // what codes mean
  double squared_change = 0, squared_norm = 0;  // of the numbers; the norm is A's
};

/// Nothing where the shapes differ. Requires fits() of both.
std::optional<CodeDifference> code_difference(const QuantizedWeight& a, const QuantizedWeight& b,
                                              int threads);

}  // namespace samebits
