#include "samebits/kernels/gradients.h"

#include <algorithm>

#include "samebits/base/error.h"
#include "samebits/kernels/packing.h"
#include "samebits/kernels/work.h"

namespace samebits {
namespace {

using reference::kPanel;

constexpr std::size_t kMostBlockRows = 16;
/// Bytes of rows that are multiplied while they stay in the second-level cache.
constexpr std::size_t kChunkBytes = 384 << 10;
/// Subtrees that wait for their other half: 2^40 leaves are more than fit into memory.
constexpr std::size_t kMostLevels = 40;

/// The gradient of one block of a packed matrix: some of its rows k, the columns of one tile. The
/// leaves come in ascending order; of equal subtrees that stand side by side two become one, which
/// is the tree of reference::tree_sum().
class BlockSum {
 public:
  BlockSum(const KernelTable& kernels, const LeafRows& leaves)
      : kernels_(kernels), leaves_(leaves) {}

  /// x [rows, all rows of the leaves], `tile` as packed; out [rows, kTileColumns], dense.
  void run(const float* x, std::size_t x_stride, const float* tile, std::size_t rows, float* out) {
    if (leaves_.count() == 1) return add_leaf(0, x, x_stride, tile, rows, out);
    std::size_t waiting = 0;
    const std::size_t size = rows * kTileColumns;
    for (std::size_t leaf = 0; leaf < leaves_.count(); ++leaf) {
      add_leaf(leaf, x, x_stride, tile, rows, level(waiting));
      ++waiting;
      for (std::size_t full = leaf; full % 2 == 1; full /= 2, --waiting)
        kernels_.add_row(level(waiting - 1), size, level(waiting - 2));
    }
    for (; waiting > 1; --waiting) kernels_.add_row(level(waiting - 1), size, level(waiting - 2));
    std::copy_n(level(0), size, out);
  }

 private:
  void add_leaf(std::size_t leaf, const float* x, std::size_t x_stride, const float* tile,
                std::size_t rows, float* out) const {
    const std::size_t begin = leaves_.begin(leaf);
    const std::size_t end = begin + leaves_.size(leaf);
    for (std::size_t first = begin; first < end; first += kPanel) {
      const float* at = tile + first * kTileColumns;
      kernels_.multiply_panel(x + first, x_stride, at, rows, std::min(kPanel, end - first),
                              first > begin, out, kTileColumns, at);
    }
  }

  float* level(std::size_t index) {
    if (levels_.size() <= index) levels_.resize(index + 1);
    return levels_[index].values;
  }

  struct Level {
    alignas(64) float values[kMostBlockRows * kTileColumns];
  };
  const KernelTable& kernels_;
  const LeafRows& leaves_;
  std::vector<Level> levels_;
};

/// x [rows, columns] as [columns, rows]: `to` has `to_stride` elements from row to row.
void turn(const Engine& engine, RowsOf x, std::size_t rows, std::size_t columns, float* to,
          std::size_t to_stride) {
  constexpr std::size_t kTogether = 64;
  const std::size_t items = (columns + kTogether - 1) / kTogether;
  const auto part = [&](std::size_t item) {
    const std::size_t first = item * kTogether;
    transpose(x.values + first, rows, std::min(kTogether, columns - first), x.stride,
              to + first * to_stride, to_stride);
  };
  engine.pool.run(items, part, items_of_a_piece(4 * rows * kTogether));
}

/// dy as the tiles of its columns.
void pack_columns(const Engine& engine, RowsOf dy, std::size_t rows, std::size_t columns,
                  float* tiles) {
  const std::size_t count = (columns + kTileColumns - 1) / kTileColumns;
  const auto pack = [&](std::size_t tile) {
    const std::size_t first = tile * kTileColumns;
    pack_tiles_of_columns(dy.values + first, rows, std::min(kTileColumns, columns - first),
                          dy.stride, tiles + first * rows);
  };
  engine.pool.run(count, pack, items_of_a_piece(4 * rows * kTileColumns));
}

PackedMatrix& matrix_of(std::vector<PackedMatrix>& all, std::size_t columns, std::size_t depth) {
  for (PackedMatrix& each : all) {
    if (each.columns() == columns && each.depth() == depth) return each;
  }
  return all.emplace_back(columns, depth);
}

/// w [columns, depth] as the matrix [depth, columns].
void repack_transposed(const Engine& engine, const PackedMatrix& w, PackedMatrix& to) {
  const auto pack = [&](std::size_t tile) {
    const std::size_t first = tile * kTileColumns;
    const std::size_t rows = std::min(kTileColumns, w.depth() - first);
    for (std::size_t from = 0; from < w.tiles(); ++from) {
      const std::size_t column = from * kTileColumns;
      pack_rows(w.tile(from) + first * kTileColumns, 0, rows,
                std::min(kTileColumns, w.columns() - column), kTileColumns,
                to.tile(tile) + column * kTileColumns);
    }
  };
  engine.pool.run(to.tiles(), pack, items_of_a_piece(4 * w.columns() * kTileColumns));
}

std::size_t steps_of_rows(std::size_t rows, std::size_t columns) { return 8 * rows * columns; }

}  // namespace

void input_gradient(const Engine& engine, RowsOf dy, std::size_t rows, const PackedMatrix& w,
                    float* dx, std::size_t dx_stride, GradientWorkspace& workspace) {
  PackedMatrix& transposed = matrix_of(workspace.transposed, w.depth(), w.columns());
  repack_transposed(engine, w, transposed);
  if (workspace.no_bias.size() < w.depth()) workspace.no_bias.assign(w.depth(), -0.0F);
  linear(engine, dy.values, dy.stride, rows, transposed, workspace.no_bias.data(), Epilogue::bias,
         dx, dx_stride);
}

void weight_gradient(const Engine& engine, RowsOf dy, RowsOf x, const LeafRows& leaves,
                     PackedMatrix& out, GradientWorkspace& workspace) {
  const std::size_t depth = out.depth();
  const std::size_t stride = row_stride(leaves.rows);
  SAMEBITS_CHECK(leaves.rows > 0 && depth > 0 && engine.kernels.block_rows <= kMostBlockRows);
  workspace.turned.reserve(depth * stride);
  workspace.tiles.reserve(out.tiles() * kTileColumns * leaves.rows);
  turn(engine, x, leaves.rows, depth, workspace.turned.data(), stride);
  pack_columns(engine, dy, leaves.rows, out.columns(), workspace.tiles.data());

  const std::size_t block = engine.kernels.block_rows;
  const std::size_t chunk =
      std::max<std::size_t>(1, kChunkBytes / (leaves.rows * sizeof(float)) / block) * block;
  const std::size_t chunks = (depth + chunk - 1) / chunk;
  const auto threads = static_cast<std::size_t>(engine.pool.threads());
  const std::size_t groups = std::min(out.tiles(), threads == 1 ? 1 : 4 * threads);
  const auto multiply = [&](std::size_t item) {
    BlockSum sum(engine.kernels, leaves);
    const std::size_t first = item / groups * chunk;
    const std::size_t last = std::min(first + chunk, depth);
    const std::size_t group = item % groups;
    const std::size_t end = (group + 1) * out.tiles() / groups;
    for (std::size_t tile = group * out.tiles() / groups; tile < end; ++tile) {
      for (std::size_t k = first; k < last; k += block)
        sum.run(workspace.turned.data() + k * stride, stride,
                workspace.tiles.data() + tile * kTileColumns * leaves.rows,
                std::min(block, last - k), out.tile(tile) + k * kTileColumns);
    }
  };
  const std::size_t steps = leaves.rows * depth * out.tiles() * kTileColumns;
  engine.pool.run(chunks * groups, multiply, items_of_a_piece(steps / (chunks * groups)));
}

void column_gradient(const Engine& engine, RowsOf a, RowsOf b, const LeafRows& leaves,
                     std::size_t columns, float* out) {
  constexpr std::size_t kTogether = 64;
  const auto sum_some = [&](std::size_t item) {
    const std::size_t first = item * kTogether;
    const std::size_t count = std::min(kTogether, columns - first);
    std::vector<float> levels(kMostLevels * kTogether);
    const auto level = [&](std::size_t index) { return levels.data() + index * kTogether; };
    std::size_t waiting = 0;
    for (std::size_t leaf = 0; leaf < leaves.count(); ++leaf) {
      const std::size_t end = leaves.begin(leaf) + leaves.size(leaf);
      for (std::size_t row = leaves.begin(leaf); row < end; row += kPanel)
        engine.kernels.column_panel(
            a.values + row * a.stride + first, a.stride,
            b.values == nullptr ? nullptr : b.values + row * b.stride + first, b.stride,
            std::min(kPanel, end - row), count, row > leaves.begin(leaf), level(waiting));
      ++waiting;
      for (std::size_t full = leaf; full % 2 == 1; full /= 2, --waiting)
        engine.kernels.add_row(level(waiting - 1), count, level(waiting - 2));
    }
    for (; waiting > 1; --waiting)
      engine.kernels.add_row(level(waiting - 1), count, level(waiting - 2));
    std::copy_n(levels.data(), count, out + first);
  };
  engine.pool.run((columns + kTogether - 1) / kTogether, sum_some,
                  items_of_a_piece(steps_of_rows(leaves.rows, kTogether)));
}

void layer_norm_back(const Engine& engine, const LayerNormBack& norm, const LeafRows& leaves,
                     GradientWorkspace& workspace) {
  workspace.normal.reserve(leaves.rows * norm.width);
  float* normal = workspace.normal.data();
  const auto row = [&](std::size_t r) {
    engine.kernels.layer_norm_back_row(norm.x + r * norm.width, norm.gamma,
                                       norm.dy.values + r * norm.dy.stride, norm.eps, norm.width,
                                       norm.dx + r * norm.width, normal + r * norm.width);
  };
  engine.pool.run(leaves.rows, row, items_of_a_piece(2 * steps_of_rows(1, norm.width)));
  column_gradient(engine, norm.dy, {normal, norm.width}, leaves, norm.width, norm.dgamma);
  column_gradient(engine, norm.dy, {}, leaves, norm.width, norm.dbeta);
}

void activate(const Engine& engine, Epilogue activation, RowsOf x, std::size_t rows,
              std::size_t width, float* out, std::size_t out_stride) {
  const auto row = [&](std::size_t r) {
    engine.kernels.activate(activation, x.values + r * x.stride, width, out + r * out_stride);
  };
  engine.pool.run(rows, row, items_of_a_piece(4 * steps_of_rows(1, width)));
}

void activation_back(const Engine& engine, Epilogue activation, RowsOf x, std::size_t rows,
                     std::size_t width, float* gradient, std::size_t stride) {
  const auto row = [&](std::size_t r) {
    engine.kernels.activation_back(activation, x.values + r * x.stride, width,
                                   gradient + r * stride);
  };
  engine.pool.run(rows, row, items_of_a_piece(4 * steps_of_rows(1, width)));
}

}  // namespace samebits
