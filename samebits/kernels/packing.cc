#include "samebits/kernels/packing.h"

#include <algorithm>
#include <cstring>

#include "samebits/kernels/kernel_table.h"

namespace samebits {

namespace {

constexpr std::size_t kSide = 4;
using Four = float __attribute__((vector_size(kSide * sizeof(float))));

Four load(const float* from) {
  Four values;
  std::memcpy(&values, from, sizeof values);
  return values;
}

void store(Four values, float* to) { std::memcpy(to, &values, sizeof values); }

/// Four numbers of each of four rows, written as four columns, whose rows are `to_stride` apart.
void pack_square(const float* w, std::size_t stride, float* to, std::size_t to_stride) {
  const Four a = load(w), b = load(w + stride), c = load(w + 2 * stride), d = load(w + 3 * stride);
  const Four low_ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const Four low_cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const Four high_ab = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Four high_cd = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  store(__builtin_shufflevector(low_ab, low_cd, 0, 1, 4, 5), to);
  store(__builtin_shufflevector(low_ab, low_cd, 2, 3, 6, 7), to + to_stride);
  store(__builtin_shufflevector(high_ab, high_cd, 0, 1, 4, 5), to + 2 * to_stride);
  store(__builtin_shufflevector(high_ab, high_cd, 2, 3, 6, 7), to + 3 * to_stride);
}

/// w [rows, depth] into columns of `to`.
void turn_rows(const float* w, std::size_t rows, std::size_t depth, std::size_t stride, float* to,
               std::size_t to_stride) {
  constexpr std::size_t kLine = 16;
  // A cache line of each row at a time, so that what is written stays near.
  for (std::size_t k0 = 0; k0 < depth; k0 += kLine) {
    const std::size_t k1 = std::min(k0 + kLine, depth);
    std::size_t r = 0;
    for (; k1 - k0 == kLine && r + kSide <= rows; r += kSide) {
      for (std::size_t k = k0; k < k1; k += kSide)
        pack_square(w + r * stride + k, stride, to + k * to_stride + r, to_stride);
    }
    for (; r < rows; ++r) {
      for (std::size_t k = k0; k < k1; ++k) to[k * to_stride + r] = w[r * stride + k];
    }
  }
}

}  // namespace

void pack_rows(const float* w, std::size_t first, std::size_t count, std::size_t depth,
               std::size_t stride, float* tiles) {
  const std::size_t last = first + count;
  for (std::size_t row = first; row < last;) {
    const std::size_t end = std::min(last, (row / kTileColumns + 1) * kTileColumns);
    turn_rows(w + (row - first) * stride, end - row, depth, stride,
              tiles + row / kTileColumns * kTileColumns * depth + row % kTileColumns, kTileColumns);
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

void transpose(const float* x, std::size_t rows, std::size_t columns, std::size_t stride, float* to,
               std::size_t to_stride) {
  constexpr std::size_t kTogether = 32;  // rows, so that what is written stays near
  for (std::size_t first = 0; first < rows; first += kTogether)
    turn_rows(x + first * stride, std::min(kTogether, rows - first), columns, stride, to + first,
              to_stride);
}

}  // namespace samebits
