// How many elements of two tensors differ by how much.
#pragma once

#include <cstdint>
#include <vector>

#include "samebits/compare/tensor_stats.h"

namespace samebits {

struct DifferenceCounts {
  int lowest = 0;                     // exponent of the first count
  std::vector<std::uint64_t> counts;  // counts[i]: 2^(lowest + i) <= |a - b| < twice that
};

/// Elements that are equal or not finite are not counted. Requires have_numbers() and equal numel.
DifferenceCounts count_differences(const ValuePair& pair);

}  // namespace samebits
