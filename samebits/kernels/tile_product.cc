#include "samebits/kernels/tile_product.h"

#include <algorithm>

#include "samebits/kernels/reference.h"

namespace samebits {

void multiply_tiles(const KernelTable& kernels, const float* x, std::size_t x_stride,
                    const float* tiles, std::size_t rows, std::size_t depth, std::size_t columns,
                    float* out, std::size_t out_stride) {
  for (std::size_t column = 0; column < columns; column += kTileColumns) {
    for (std::size_t first = 0; first < depth; first += kPanel) {
      const std::size_t size = std::min(kPanel, depth - first);
      kernels.multiply_panel(x + first, x_stride, tiles, rows, size, first > 0, out + column,
                             out_stride, tiles);
      tiles += size * kTileColumns;
    }
  }
}

}  // namespace samebits
