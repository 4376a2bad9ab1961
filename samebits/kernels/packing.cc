#include "samebits/kernels/packing.h"

#include <algorithm>
#include <cstring>

#include "samebits/kernels/kernel_table.h"

namespace samebits {

void pack_rows(const float* w, std::size_t first, std::size_t count, std::size_t depth,
               std::size_t stride, float* tiles) {
  const std::size_t last = first + count;
  for (std::size_t row = first; row < last;) {
    const std::size_t end = std::min(last, (row / kTileColumns + 1) * kTileColumns);
    float* tile = tiles + row / kTileColumns * kTileColumns * depth + row % kTileColumns;
    // A cache line of each row at a time, so that what is written stays near.
    constexpr std::size_t kLine = 16;
    for (std::size_t k0 = 0; k0 < depth; k0 += kLine) {
      const std::size_t k1 = std::min(k0 + kLine, depth);
      for (std::size_t r = 0; r < end - row; ++r) {
        const float* from = w + (row - first + r) * stride;
        for (std::size_t k = k0; k < k1; ++k) tile[k * kTileColumns + r] = from[k];
      }
    }
    row = end;
  }
}

void pack_tiles_of_rows(const float* w, std::size_t count, std::size_t depth, std::size_t stride,
                        float* tiles) {
  if (count % kTileColumns != 0)
    std::memset(tiles + count / kTileColumns * kTileColumns * depth, 0,
                depth * kTileColumns * sizeof(float));
  pack_rows(w, 0, count, depth, stride, tiles);
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
