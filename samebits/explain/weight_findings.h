// What a comparison of weights says, as findings.
#pragma once

#include <set>
#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// weights.changed, missing, rounded, rearranged, renamed, tied and numerics.dtype for one pair.
/// Names in evidence are A's where A has them. Tensors whose names are in `explained` are neither
/// changed nor missing: another finding says what they are.
void find_weight_causes(Report& report, const WeightPair& pair,
                        const std::set<std::string>& explained = {});

/// The cosine below which two tensors have nothing in common.
inline constexpr double kUnlikeCosine = 0.5;

/// What a change looks like, in words: "0.5 times A's", "B has 0 there, ...", else the pattern.
std::string pattern_text(const TensorStats& stats, const std::string& a, const std::string& b);

/// "0 NaN in A, 1 in B", "0 infinite in A, 1 in B" where nothing else differs; "" otherwise.
std::string not_finite_text(const TensorStats& stats, const std::string& a, const std::string& b);

/// "0.999" where every changed tensor of B is A's times this; "" otherwise.
std::string common_multiple(const WeightComparison& comparison);

/// "2 elements overflowed and 3 became 0" of weights that were rounded; "" where none
/// did.
std::string rounding_loss_text(const WeightComparison& comparison);

/// Every tensor with values changed, and by how much on average: used to tell an edit from another
/// file.
struct ChangeExtent {
  std::uint64_t changed = 0;  // of the trainable ones: not constant in A
  std::uint64_t total = 0;
  double median_cosine = 1;
  double median_relative = 0;  // |A - B| / |A|
  double largest = 0;          // largest max_abs
};
ChangeExtent change_extent(const WeightComparison& comparison);

}  // namespace samebits
