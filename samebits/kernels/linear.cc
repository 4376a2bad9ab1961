#include "samebits/kernels/linear.h"

#include <algorithm>
#include <cstring>

#include "samebits/base/error.h"
#include "samebits/kernels/packing.h"
#include "samebits/kernels/reference.h"
#include "samebits/kernels/work.h"

namespace samebits {
namespace {

using reference::kPanel;

// Rows that are multiplied while their panels stay in the second-level cache.
constexpr std::size_t kChunkRows = 224;

/// Rows cut into blocks of nearly the same size, none larger than the kernel takes.
class Blocks {
 public:
  Blocks(std::size_t rows, std::size_t most) : rows_(rows), count_((rows + most - 1) / most) {}
  std::size_t count() const { return count_; }
  std::size_t begin(std::size_t block) const { return block * rows_ / count_; }
  std::size_t size(std::size_t block) const { return begin(block + 1) - begin(block); }

 private:
  std::size_t rows_, count_;
};

/// One call of linear().
class Product {
 public:
  Product(const Engine& engine, std::size_t rows, const PackedMatrix& w, const float* bias,
          const float* scale, Epilogue epilogue, float* out, std::size_t out_stride, const float* x,
          std::size_t x_stride)
      : kernels_(engine.kernels),
        blocks_(rows, engine.kernels.block_rows),
        w_(w),
        bias_(bias),
        scale_(scale),
        epilogue_(epilogue),
        out_(out),
        out_stride_(out_stride),
        x_(x),
        x_stride_(x_stride) {}

  const Blocks& blocks() const { return blocks_; }

  /// Blocks [first, last) of rows times the tiles [first_tile, last_tile). While the blocks meet
  /// one tile, the next one is fetched, a share of it with each block: weights come from far away.
  void multiply(std::size_t first, std::size_t last, std::size_t first_tile,
                std::size_t last_tile) const {
    for (std::size_t tile = first_tile; tile < last_tile; ++tile) {
      const float* next = w_.tile(std::min(tile + 1, last_tile - 1));
      for (std::size_t block = first; block < last; ++block) {
        const std::size_t share = w_.depth() * (block - first) / (last - first);
        multiply_block(block, tile, next + share * kTileColumns);
      }
    }
  }

 private:
  void multiply_block(std::size_t block, std::size_t tile, const float* soon) const {
    const std::size_t rows = blocks_.size(block);
    const std::size_t column = tile * kTileColumns;
    const std::size_t columns = std::min(kTileColumns, w_.columns() - column);
    float* target = out_ + blocks_.begin(block) * out_stride_ + column;
    // A kernel writes whole tiles; what must not be overwritten is computed aside.
    alignas(64) float aside[kMostRows * kTileColumns];
    const bool adds = epilogue_ == Epilogue::residual || epilogue_ == Epilogue::scaled;
    const bool apart = adds || columns < kTileColumns;
    float* product = apart ? aside : target;
    const std::size_t stride = apart ? kTileColumns : out_stride_;
    const float* panel = x_ + blocks_.begin(block) * x_stride_;
    const float* weights = w_.tile(tile);
    for (std::size_t first = 0; first < w_.depth(); first += kPanel) {
      const std::size_t depth = std::min(kPanel, w_.depth() - first);
      kernels_.multiply_panel(panel + first, x_stride_, weights, rows, depth, first > 0, product,
                              stride, soon + first / kFetchEvery * (kTileColumns / 2));
      weights += depth * kTileColumns;
    }
    kernels_.finish_tile(epilogue_, product, stride, bias_ + column,
                         scale_ == nullptr ? nullptr : scale_ + column, rows, columns, target,
                         out_stride_);
  }

  static constexpr std::size_t kMostRows = 16;
  const KernelTable& kernels_;
  Blocks blocks_;
  const PackedMatrix& w_;
  const float* bias_;
  const float* scale_;
  Epilogue epilogue_;
  float* out_;
  std::size_t out_stride_;
  const float* x_;
  std::size_t x_stride_;
};

}  // namespace

void AlignedFloats::reserve(std::size_t size) {
  if (values_.size() < size) values_ = decltype(values_)(size);
}

PackedMatrix::PackedMatrix(const float* w, std::size_t columns, std::size_t depth,
                           std::size_t stride)
    : columns_(columns), depth_(depth), values_(tiles() * kTileColumns * depth) {
  pack_tiles_of_rows(w, columns, depth, stride, values_.data());
}

PackedMatrix::PackedMatrix(std::size_t columns, std::size_t depth)
    : columns_(columns), depth_(depth), values_(tiles() * kTileColumns * depth) {
  // Columns behind the last, with those beside them, which pack() writes.
  if (columns % kTileColumns != 0) std::fill_n(tile(tiles() - 1), kTileColumns * depth, 0.0F);
}

void PackedMatrix::pack(const float* w, std::size_t first, std::size_t count) {
  SAMEBITS_CHECK(first <= columns_ && count <= columns_ - first);
  pack_rows(w, first, count, depth_, depth_, values_.data());
}

bool PackedMatrix::same_bits(const PackedMatrix& other) const {
  const std::size_t bytes = tiles() * kTileColumns * depth_ * sizeof(float);
  return columns_ == other.columns_ && depth_ == other.depth_ &&
         (bytes == 0 || std::memcmp(tile(0), other.tile(0), bytes) == 0);
}

void linear(const Engine& engine, const float* x, std::size_t x_stride, std::size_t rows,
            const PackedMatrix& w, const float* bias, Epilogue epilogue, float* out,
            std::size_t out_stride, const float* scale, TileRange tiles) {
  tiles.last = std::min(tiles.last, w.tiles());
  if (rows == 0 || tiles.first >= tiles.last) return;
  SAMEBITS_CHECK(w.depth() > 0 && (scale != nullptr || epilogue != Epilogue::scaled));
  const Product product(engine, rows, w, bias, scale, epilogue, out, out_stride, x, x_stride);
  const Blocks& blocks = product.blocks();
  const std::size_t chunk = std::max<std::size_t>(1, kChunkRows / engine.kernels.block_rows);
  const std::size_t chunks = (blocks.count() + chunk - 1) / chunk;
  const auto threads = static_cast<std::size_t>(engine.pool.threads());
  const std::size_t count = tiles.last - tiles.first;
  const std::size_t groups = std::min(count, threads == 1 ? 1 : 4 * threads);
  const std::size_t items = chunks * groups;
  const auto multiply = [&](std::size_t item) {
    const std::size_t group = item % groups;
    const std::size_t first = item / groups * chunk;
    product.multiply(first, std::min(first + chunk, blocks.count()),
                     tiles.first + group * count / groups,
                     tiles.first + (group + 1) * count / groups);
  };
  engine.pool.run(items, multiply,
                  items_of_a_piece(rows * w.depth() * count * kTileColumns / items));
}

}  // namespace samebits
