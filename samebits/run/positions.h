// Position embeddings for images of another size than the model was made for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace samebits {

/// How a library resizes the grid of positions.
enum class Resampling : std::uint8_t {
  refused,            // the library has no rule of its own: torchvision, facebookresearch/mae
  bicubic,            // torch's interpolate(mode="bicubic", align_corners=False): transformers
  bicubic_antialias,  // the same with antialias=True: timm
};

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
