#include "samebits/kernels/attention_gradient.h"

#include <algorithm>
#include <cstring>

#include "samebits/base/error.h"
#include "samebits/kernels/packing.h"
#include "samebits/kernels/tile_product.h"
#include "samebits/kernels/work.h"

namespace samebits {
namespace {

using reference::kPanel;
using BackPart = AttentionGradientWorkspace::Part;

std::size_t whole_tiles(std::size_t columns) {
  return (columns + kTileColumns - 1) / kTileColumns * kTileColumns;
}

/// One head of one image.
class HeadBack {
 public:
  HeadBack(const KernelTable& kernels, const AttentionShape& shape, BackPart& part)
      : kernels_(kernels),
        shape_(shape),
        part_(part),
        tokens_(shape.tokens),
        columns_(whole_tiles(shape.tokens)),
        width_(whole_tiles(shape.width)) {
    for (AlignedFloats* each : {&part.key_rows, &part.value_rows})
      each->reserve(columns_ * shape.width);
    for (AlignedFloats* each : {&part.query_columns, &part.key_columns, &part.out_columns})
      each->reserve(width_ * tokens_);
    for (AlignedFloats* each : {&part.p, &part.dp, &part.turned}) each->reserve(columns_ * tokens_);
    part.product.reserve(kernels.block_rows * width_);
  }

  void run(const AttentionBack& back, const float* factors) {
    pack(back);
    // Scores, their softmax, and the gradient of both.
    multiply_all(back.q, shape_.stride, part_.key_rows.data(), part_.p.data());
    multiply_all(back.dout, shape_.out_stride, part_.value_rows.data(), part_.dp.data());
    for (std::size_t i = 0; i < tokens_; ++i)
      differentiate_row(i, factors == nullptr ? nullptr : factors + i * tokens_);
    multiply_into(part_.dp.data(), part_.key_columns.data(), back.dq, shape_.stride);
    transpose(part_.dp.data(), tokens_, tokens_, columns_, part_.turned.data(), columns_);
    multiply_into(part_.turned.data(), part_.query_columns.data(), back.dk, shape_.stride);
    transpose(part_.p.data(), tokens_, tokens_, columns_, part_.turned.data(), columns_);
    multiply_into(part_.turned.data(), part_.out_columns.data(), back.dv, shape_.stride);
  }

 private:
  void pack(const AttentionBack& back) {
    const std::size_t width = shape_.width;
    pack_tiles_of_rows(back.k, tokens_, width, shape_.stride, part_.key_rows.data());
    pack_tiles_of_rows(back.v, tokens_, width, shape_.stride, part_.value_rows.data());
    pack_tiles_of_columns(back.k, tokens_, width, shape_.stride, part_.key_columns.data());
    pack_tiles_of_columns(back.q, tokens_, width, shape_.stride, part_.query_columns.data());
    pack_tiles_of_columns(back.dout, tokens_, width, shape_.out_stride, part_.out_columns.data());
  }

  /// dp becomes the gradient of the scores, p what was multiplied onto the values.
  void differentiate_row(std::size_t i, const float* factors) {
    float* p = part_.p.data() + i * columns_;
    float* dp = part_.dp.data() + i * columns_;
    kernels_.scale_softmax(p, shape_.scale, tokens_);
    if (factors != nullptr) {
      for (std::size_t j = 0; j < tokens_; ++j) dp[j] = dp[j] * factors[j];
    }
    kernels_.softmax_back_row(p, shape_.scale, tokens_, dp);
    if (factors == nullptr) return;
    for (std::size_t j = 0; j < tokens_; ++j) p[j] = p[j] * factors[j];
  }

  /// All tokens of x, [tokens, width], times tiles of tokens: out is [tokens, columns_].
  void multiply_all(const float* x, std::size_t x_stride, const float* tiles, float* out) {
    for (std::size_t first = 0; first < tokens_; first += kernels_.block_rows) {
      const std::size_t rows = std::min(kernels_.block_rows, tokens_ - first);
      multiply_tiles(kernels_, x + first * x_stride, x_stride, tiles, rows, shape_.width, columns_,
                     out + first * columns_, columns_);
    }
  }

  /// x [tokens, tokens] times tiles of the width: out is [tokens, width].
  void multiply_into(const float* x, const float* tiles, float* out, std::size_t out_stride) {
    const bool whole = width_ == shape_.width;  // a kernel writes whole tiles
    for (std::size_t first = 0; first < tokens_; first += kernels_.block_rows) {
      const std::size_t rows = std::min(kernels_.block_rows, tokens_ - first);
      float* target = out + first * out_stride;
      float* product = whole ? target : part_.product.data();
      multiply_tiles(kernels_, x + first * columns_, columns_, tiles, rows, tokens_, width_,
                     product, whole ? out_stride : width_);
      if (whole) continue;
      for (std::size_t r = 0; r < rows; ++r)
        std::memcpy(target + r * out_stride, product + r * width_, shape_.width * sizeof(float));
    }
  }

  const KernelTable& kernels_;
  const AttentionShape& shape_;
  BackPart& part_;
  std::size_t tokens_, columns_, width_;
};

}  // namespace

void attention_gradient(const Engine& engine, const AttentionBack& back,
                        const AttentionShape& shape, AttentionGradientWorkspace& workspace) {
  SAMEBITS_CHECK(shape.queries == shape.tokens);
  std::vector<BackPart>& parts = workspace.parts(engine.pool.threads());
  const auto differentiate = [&](std::size_t item, std::size_t thread) {
    const std::size_t image = item / shape.heads;
    const std::size_t column = item % shape.heads * shape.width;
    const std::size_t at = image * shape.tokens * shape.stride + column;
    const std::size_t out = image * shape.tokens * shape.out_stride + column;
    const AttentionBack head = {back.q + at,  back.k + at,  back.v + at, back.dout + out,
                                back.dq + at, back.dk + at, back.dv + at};
    const float* factors =
        shape.dropout == nullptr ? nullptr : shape.dropout + item * shape.tokens * shape.tokens;
    HeadBack(engine.kernels, shape, parts[thread]).run(head, factors);
  };
  constexpr std::size_t kSoftmax = 32;  // steps of one score, counted in those of its products
  const std::size_t steps = shape.tokens * shape.tokens * (5 * shape.width + kSoftmax);
  engine.pool.run(shape.images * shape.heads, differentiate, items_of_a_piece(steps));
}

}  // namespace samebits
