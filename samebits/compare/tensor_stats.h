// How far the values of one tensor are from those of another.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "samebits/tensor/tensor.h"

namespace samebits {

/// How far B's values are from A's. Elements are compared as numbers of the wider type; NaN equals
/// NaN. A complex number counts as two elements.
struct TensorStats {
  std::uint64_t elements = 0;
  std::uint64_t differing = 0;  // bits differ (after widening, where the types differ)
  double max_abs = 0;           // largest |a - b| over finite pairs
  double mean_abs = 0;
  double max_relative = 0;               // largest |a - b| / max(|a|, |b|)
  double relative_norm = 0;              // |A - B| / |A|; infinite where |A| is 0 or
                                         // other elements are not finite
  std::optional<std::uint64_t> max_ulp;  // same float type only
  double cosine = 1;      // of A and B as vectors; 1 where both are zero, 0 where one is
  double norm_ratio = 1;  // |B| / |A|
  double norm_a = 0, norm_difference = 0;      // |A|, |A - B|
  std::uint64_t rows = 0, rows_differing = 0;  // slices along dimension 0; a scalar has one
  std::uint64_t first = 0;                     // row-major index of the first differing element
  std::uint64_t nan_a = 0, nan_b = 0, inf_a = 0, inf_b = 0;
  /// What the change looks like: "nan", "one element", "few elements", "sign" (B = -A), "one ulp",
  /// "scale" (B = cA to rounding), "rows permuted", "blocks of 16 rows permuted" (columns
  /// likewise; see permuted_rows.h), "zeros in B" (0 where they differ, and the rest is equal),
  /// "zeros in A", "few rows", "all", or "" where it looks like nothing in particular.
  std::string pattern;
};

struct ValuePair {
  TensorView a, b;
};

/// What a rounding did to finite numbers beside rounding them.
struct RoundingLoss {
  std::uint64_t overflowed = 0;  // no longer finite, or the largest of a type that saturates
  std::uint64_t flushed = 0;     // 0, and were not
  bool any() const { return overflowed > 0 || flushed > 0; }
};

struct ValueRelation {
  TensorStats stats;
  bool equal_numbers = false;      // every element: a == b, or both NaN
  std::uint64_t minus_zeros = 0;   // 0 on one side, -0 on the other
  std::optional<DType> rounded_b;  // every b is a rounded to this type
  std::optional<DType> rounded_a;  // every a is b rounded to this type
  RoundingLoss loss;               // of these
};

/// True where both types have numbers to compare (complex types: two for an element).
bool have_numbers(const ValuePair& pair);

/// One relation for each pair. Requires have_numbers() and equal numel. Sums are taken in a fixed
/// order: the result does not depend on `threads`.
std::vector<ValueRelation> relate_values(const std::vector<ValuePair>& pairs, int threads);

/// The same for pairs of which many may be one: tied weights are measured once.
std::vector<ValueRelation> relate_distinct_values(const std::vector<ValuePair>& pairs, int threads);

}  // namespace samebits
