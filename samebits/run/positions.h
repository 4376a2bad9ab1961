// Position embeddings for images of another size than the model was made for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "samebits/family/classes.h"

namespace samebits {

using model::Resampling;

struct Grid {
  std::size_t height = 0, width = 0;
  std::size_t cells() const { return height * width; }
  bool operator==(const Grid&) const = default;
};

/// `positions` [from.cells(), depth] resampled to [to.cells(), depth]. Computed in double, rows
/// first, and rounded once. Requires bicubic or bicubic_antialias.
std::vector<float> resample_positions(std::span<const float> positions, Grid from, Grid to,
                                      std::size_t depth, Resampling how);

}  // namespace samebits
