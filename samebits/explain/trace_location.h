// To which part of a point a difference is confined: images, tokens, columns, and what these
// columns are in its module.
#pragma once

#include <string>

#include "samebits/compare/tensor_stats.h"

namespace samebits {

struct TraceLocation {
  std::string text;  // "columns 16 to 31 of 48, head 1 of 3"; "" where it is everywhere
  std::vector<std::int64_t> heads;  // of an attention's projections, where columns are whole heads
};

/// Where the elements are whose numbers differ by more than `bound`. `heads`: of the attention, 0
/// where that is not known. Requires equal shapes and real numbers.
TraceLocation locate_difference(const std::string& point, const ValuePair& values, double bound,
                                std::int64_t heads);

}  // namespace samebits
