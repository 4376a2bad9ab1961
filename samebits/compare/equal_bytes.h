// Memory comparison of many tensors at once.
#pragma once

#include <cstdint>
#include <vector>

#include "samebits/tensor/tensor.h"

namespace samebits {

struct BytePair {
  const TensorView* a;
  const TensorView* b;
};

/// For each pair, the first of them that has the same elements on both sides: itself where none
/// has. Tied weights are then compared once.
std::vector<std::size_t> same_pairs(const std::vector<BytePair>& pairs);

/// For each pair, whether the row-major bytes are the same (any shapes, so a reshape is no
/// difference). Tensors of unlike nbytes differ. Each thread holds at most two blocks of 1 MiB.
std::vector<bool> equal_bytes(const std::vector<BytePair>& pairs, int threads);

/// The same of one pair that is mostly unlike: a few elements, spread over the tensors, are looked
/// at first. Requires as many elements on both sides, and at least one.
bool equal_bytes_at_last(const TensorView& a, const TensorView& b, int threads);

}  // namespace samebits
