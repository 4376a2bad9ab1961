// x times the tiles of a packed matrix, as attention and its gradient take heads apart.
#pragma once

#include <cstddef>

#include "samebits/kernels/kernel_table.h"

namespace samebits {

/// x [rows, depth], whose rows are `x_stride` apart, times the tiles of a matrix of `columns`
/// columns, a multiple of kTileColumns, into `out`, whose rows are `out_stride` apart.
void multiply_tiles(const KernelTable& kernels, const float* x, std::size_t x_stride,
                    const float* tiles, std::size_t rows, std::size_t depth, std::size_t columns,
                    float* out, std::size_t out_stride);

}  // namespace samebits
