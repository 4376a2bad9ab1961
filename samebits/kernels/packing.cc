#include "samebits/kernels/packing.h"

#include <algorithm>
#include <cstring>

#include "samebits/kernels/kernel_table.h"
#include "samebits/kernels/reference.h"

namespace samebits {

using reference::kPanel;

void pack_rows(const float* x, std::size_t stride, std::size_t rows, std::size_t depth,
               float* packed) {
  for (std::size_t first = 0; first < depth; first += kPanel) {
    const std::size_t size = std::min(kPanel, depth - first);
    for (std::size_t k = 0; k < size; ++k) {
      const float* from = x + first + k;
      for (std::size_t r = 0; r < rows; ++r) packed[k * rows + r] = from[r * stride];
    }
    packed += size * rows;
  }
}

void pack_tiles_of_rows(const float* w, std::size_t count, std::size_t depth, std::size_t stride,
                        float* tiles) {
  for (std::size_t first = 0; first < count; first += kTileColumns) {
    const std::size_t size = std::min(kTileColumns, count - first);
    if (size < kTileColumns) std::memset(tiles, 0, depth * kTileColumns * sizeof(float));
    for (std::size_t c = 0; c < size; ++c) {
      const float* row = w + (first + c) * stride;
      for (std::size_t k = 0; k < depth; ++k) tiles[k * kTileColumns + c] = row[k];
    }
    tiles += depth * kTileColumns;
  }
}

void pack_tiles_of_columns(const float* w, std::size_t depth, std::size_t count, std::size_t stride,
                           float* tiles) {
  for (std::size_t first = 0; first < count; first += kTileColumns) {
    const std::size_t size = std::min(kTileColumns, count - first);
    if (size < kTileColumns) std::memset(tiles, 0, depth * kTileColumns * sizeof(float));
    for (std::size_t k = 0; k < depth; ++k)
      std::memcpy(tiles + k * kTileColumns, w + k * stride + first, size * sizeof(float));
    tiles += depth * kTileColumns;
  }
}

}  // namespace samebits
