// The order in which a matrix product reads its right side, and transposes.
#pragma once

#include <cstddef>

namespace samebits {

/// w [count, depth] as rows [first, first + count) of a matrix whose tiles are `tiles`: tile of
/// kTileColumns rows, then k, then row. Other rows are left as they are.
void pack_rows(const float* w, std::size_t first, std::size_t count, std::size_t depth,
               std::size_t stride, float* tiles);

/// w [count, depth]: all tiles, with zeros for rows behind the last. `tiles` holds count, rounded
/// up to tiles, times depth elements.
void pack_tiles_of_rows(const float* w, std::size_t count, std::size_t depth, std::size_t stride,
                        float* tiles);

/// w [depth, count]: the same tiles of its columns.
void pack_tiles_of_columns(const float* w, std::size_t depth, std::size_t count, std::size_t stride,
                           float* tiles);

/// x [rows, columns] with `stride` elements from row to row, as `to` [columns, rows] with
/// `to_stride`.
void transpose(const float* x, std::size_t rows, std::size_t columns, std::size_t stride, float* to,
               std::size_t to_stride);

}  // namespace samebits
