#include "samebits/kernels/attention.h"

#include <algorithm>
#include <cstring>

#include "samebits/kernels/packing.h"
#include "samebits/kernels/reference.h"
#include "samebits/kernels/tile_product.h"
#include "samebits/kernels/work.h"

namespace samebits {
namespace {

using reference::kPanel;
using Part = AttentionWorkspace::Part;

std::size_t tiles_of(std::size_t columns) { return (columns + kTileColumns - 1) / kTileColumns; }

/// One head of one image.
class Head {
 public:
  Head(const KernelTable& kernels, const AttentionShape& shape, Part& part)
      : kernels_(kernels),
        shape_(shape),
        part_(part),
        key_columns_(tiles_of(shape.tokens) * kTileColumns),
        value_columns_(tiles_of(shape.width) * kTileColumns) {
    const std::size_t rows = kernels.block_rows;
    part.keys.reserve(key_columns_ * shape.width);
    part.values.reserve(value_columns_ * shape.tokens);
    part.scores.reserve(rows * key_columns_);
    part.product.reserve(rows * value_columns_);
  }

  /// `dropout` is this head's part of the shape's.
  void run(const float* q, const float* k, const float* v, const float* dropout, float* out) {
    pack_tiles_of_rows(k, shape_.tokens, shape_.width, shape_.stride, part_.keys.data());
    pack_tiles_of_columns(v, shape_.tokens, shape_.width, shape_.stride, part_.values.data());
    for (std::size_t first = 0; first < shape_.queries; first += kernels_.block_rows) {
      const std::size_t rows = std::min(kernels_.block_rows, shape_.queries - first);
      const float* factors = dropout == nullptr ? nullptr : dropout + first * shape_.tokens;
      run_block(q + first * shape_.stride, rows, factors, out + first * shape_.out_stride);
    }
  }

 private:
  void run_block(const float* q, std::size_t rows, const float* dropout, float* out) {
    float* scores = part_.scores.data();
    multiply_tiles(kernels_, q, shape_.stride, part_.keys.data(), rows, shape_.width, key_columns_,
                   scores, key_columns_);
    for (std::size_t r = 0; r < rows; ++r) {
      float* row = scores + r * key_columns_;
      kernels_.scale_softmax(row, shape_.scale, shape_.tokens);
      if (dropout == nullptr) continue;
      const float* factors = dropout + r * shape_.tokens;
      for (std::size_t i = 0; i < shape_.tokens; ++i) row[i] = row[i] * factors[i];
    }
    const bool whole = value_columns_ == shape_.width;  // a kernel writes whole tiles
    float* product = whole ? out : part_.product.data();
    multiply_tiles(kernels_, scores, key_columns_, part_.values.data(), rows, shape_.tokens,
                   value_columns_, product, whole ? shape_.out_stride : value_columns_);
    if (whole) return;
    for (std::size_t r = 0; r < rows; ++r)
      std::memcpy(out + r * shape_.out_stride, product + r * value_columns_,
                  shape_.width * sizeof(float));
  }

  const KernelTable& kernels_;
  const AttentionShape& shape_;
  Part& part_;
  std::size_t key_columns_, value_columns_;
};

}  // namespace

void attention(const Engine& engine, const float* q, const float* k, const float* v,
               const AttentionShape& shape, float* out, AttentionWorkspace& workspace) {
  const std::size_t heads = shape.images * shape.heads;
  std::vector<Part>& parts = workspace.parts(engine.pool.threads());
  const auto attend = [&](std::size_t item, std::size_t thread) {
    const std::size_t image = item / shape.heads;
    const std::size_t column = item % shape.heads * shape.width;
    const std::size_t at = image * shape.tokens * shape.stride + column;
    const float* dropout =
        shape.dropout == nullptr ? nullptr : shape.dropout + item * shape.queries * shape.tokens;
    Head(engine.kernels, shape, parts[thread])
        .run(q + at, k + at, v + at, dropout,
             out + image * shape.queries * shape.out_stride + column);
  };
  constexpr std::size_t kSoftmax = 16;  // steps of one score, counted in those of its products
  const std::size_t steps = shape.queries * shape.tokens * (2 * shape.width + kSoftmax);
  engine.pool.run(heads, attend, items_of_a_piece(steps));
}

}  // namespace samebits
