// How far one step of a pass, computed in float32 from given inputs, can be from the exact result,
// whatever the order of its additions: a bound, not an estimate.
//
// Source of the bounds: N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition,
// chapters 3 and 4 (a sum of n products is off by at most gamma(n) times the sum of their sizes).
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "samebits/run/vit_forward.h"

namespace samebits {

/// The element of a step's output that is farthest beyond its bound, or nearest to it.
struct OperationCheck {
  std::size_t element = 0;
  double off = 0;    // from the exact result
  double bound = 0;  // of that element
  bool holds() const { return off <= bound; }
};

/// Values that were recorded at a point, row-major; nullptr where there are none.
using RecordedPoint = std::function<const std::vector<double>*(const std::string& point)>;

/// Checks the output recorded at `point` against its own recorded inputs. Covered: layer norms, the
/// sums behind a block, and heads that are one linear layer; nothing for other points, and where an
/// input or the point itself was not recorded or has another size.
std::optional<OperationCheck> check_operation(VitModel& model, const std::string& point,
                                              const RecordedPoint& recorded);

}  // namespace samebits
