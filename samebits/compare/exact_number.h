// Numbers of any two types held against each other without rounding either.
#pragma once

#include <cstdint>

#include "samebits/tensor/dtype.h"

namespace samebits {

struct ExactNumber {
  double value = 0;   // exact unless it is `wide`
  bool wide = false;  // an int64 or uint64, whose sign and size these are
  bool negative = false;
  std::uint64_t size = 0;
};

/// Requires has_element_values(). `p` as for element_as_double().
ExactNumber exact_number(DType type, const std::uint8_t* p);
/// NaN equals NaN, and -0 equals 0.
bool equal_numbers(const ExactNumber& x, const ExactNumber& y);
/// |x - y|, rounded once where it is an integer that a double cannot hold.
double distance(const ExactNumber& x, const ExactNumber& y);

}  // namespace samebits
