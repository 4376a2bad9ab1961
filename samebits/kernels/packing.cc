#include "samebits/kernels/packing.h"

#include <algorithm>
#include <cstring>

#include "samebits/kernels/kernel_table.h"

namespace samebits {

void pack_tiles_of_rows(const float* w, std::size_t count, std::size_t depth, std::size_t stride,
                        float* tiles) {
  for (std::size_t first = 0; first < count; first += kTileColumns) {
    const std::size_t size = std::min(kTileColumns, count - first);
    if (size < kTileColumns) std::memset(tiles, 0, depth * kTileColumns * sizeof(float));
    // A cache line of each row at a time, so that what is written stays near.
    constexpr std::size_t kLine = 16;
    for (std::size_t k0 = 0; k0 < depth; k0 += kLine) {
      const std::size_t end = std::min(k0 + kLine, depth);
      for (std::size_t c = 0; c < size; ++c) {
        const float* row = w + (first + c) * stride;
        for (std::size_t k = k0; k < end; ++k) tiles[k * kTileColumns + c] = row[k];
      }
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
