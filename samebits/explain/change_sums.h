// How far several tensors changed, taken together: norm of all their differences over norm of all
// of A's. Segments and the modules inside them are measured alike.
#pragma once

#include <cmath>
#include <limits>
#include <optional>

#include "samebits/compare/alignment.h"

namespace samebits {

class ChangeSums {
 public:
  /// A match without numbers adds nothing.
  void add(const TensorMatch& match) {
    if (!match.stats) return;
    const TensorStats& stats = *match.stats;
    any_ = true;
    infinite_ = infinite_ || stats.nan_a != stats.nan_b || stats.inf_a != stats.inf_b;
    square_a_ += stats.norm_a * stats.norm_a;
    square_difference_ += stats.norm_difference * stats.norm_difference;
  }

  /// Nothing where no match had numbers; infinite where A's are zero, or one side's not finite.
  std::optional<double> relative() const {
    if (!any_) return std::nullopt;
    const bool from_zero = square_a_ == 0 && square_difference_ > 0;
    if (infinite_ || from_zero) return std::numeric_limits<double>::infinity();
    return square_a_ == 0 ? 0 : std::sqrt(square_difference_ / square_a_);
  }

 private:
  double square_a_ = 0, square_difference_ = 0;
  bool any_ = false, infinite_ = false;
};

}  // namespace samebits
