// How much two recorded runs of one computation may differ by rounding, in units of the types in
// which they were recorded.
//
// Measured on ViTs of 2 and 12 layers, torch 2.13.0, bfloat16 and float16, eager attention against
// sdpa, flash against math, float32 against autocast: where two runs part, the largest difference
// is under 2.7 units of the largest number there; it grows to 32 in weights that are drawn wide,
// and from one point to the next by no more than 4.4 times what there was before. A head whose
// values are off by a tenth makes 10 times that.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "samebits/compare/tensor_stats.h"
#include "samebits/explain/report.h"

namespace samebits {

/// Half the distance of 1 and the next number: 2^-8 of bfloat16, 2^-11 of float16; 0 for what is no
/// real floating type. Of a number that is rounded to the type, the largest error.
double rounding_unit(DType type);

/// "2.3 units of bfloat16 (2^-8 of the largest number there)" of a narrow type, else "".
std::string units_text(double units, DType type);

class RoundingJudge {
 public:
  /// The compared points with the values of each, in order. Both must outlive it.
  RoundingJudge(std::span<const OutputPair> outputs, std::span<const ValuePair> values,
                bool in_execution_order)
      : outputs_(outputs), values_(values), ordered_(in_execution_order) {}

  /// The type that rounds most there: the narrower of the two, or what one was rounded to.
  DType type_at(std::size_t point) const;
  /// The largest difference, in units of that type, of the largest number there.
  double units_at(std::size_t point) const { return units(point, type_at(point)); }

  /// No more than rounding makes of equal inputs: in one step, or in narrow types in as many as
  /// lie between the points, where these were not recorded one by one.
  bool is_rounding(std::size_t point) const;
  /// More than rounding can be where everything before the point is equal. In wide types there are
  /// differences of which neither is said.
  bool is_beyond(std::size_t point) const;
  /// From `parting` on, the first point that is off by more than rounding grows to: by too many
  /// units, or in narrow types by far more than every point before.
  std::optional<std::size_t> first_beyond(std::size_t parting) const;
  /// Differences larger than this are beyond rounding at a point, after what points before it have
  /// from `parting` on.
  double bound_at(std::size_t point, std::size_t parting) const;

 private:
  /// Whether the block that the point is in was recorded module by module.
  bool in_detail(std::size_t point) const;
  double units(std::size_t point, DType type) const;
  double scale(std::size_t point, DType type) const;

  std::span<const OutputPair> outputs_;
  std::span<const ValuePair> values_;
  bool ordered_;
};

}  // namespace samebits
