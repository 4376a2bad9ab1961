// How much the tensors of one file describe together, against what the file holds.
//
// Views cost a file nothing and their reader everything: a few bytes, expanded or seen through many
// overlapping views, describe any number of elements.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "samebits/tensor/distinct_views.h"

namespace samebits {

class DescribedBytes {
 public:
  /// `file_bytes`: size of the file whose tensors are added.
  explicit DescribedBytes(std::uint64_t file_bytes);
  /// Counts a tensor; one that shows the same elements as an earlier one (tied weights) is free.
  /// Errors: limit, and then it is not counted, nor is any other that shows these elements.
  Result<void> add(const TensorView& view);

 private:
  std::uint64_t most_;
  std::uint64_t total_ = 0;
  std::deque<TensorView> views_;  // what distinct_ borrows
  DistinctViews distinct_;
  std::vector<bool> counted_;  // by number
};

}  // namespace samebits
