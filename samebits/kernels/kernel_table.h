// The inner loops of the engine, once for each instruction set. Every one gives the bits of
// reference.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "samebits/base/float_mode.h"

namespace samebits {

enum class Isa : std::uint8_t { scalar, avx2, avx512, neon };
const char* isa_name(Isa isa);  // "avx512"
/// Those that this build has kernels for, narrowest first. The machine may have fewer.
std::span<const Isa> built_isas();

/// Columns that a packed matrix keeps side by side, whatever the instruction set.
inline constexpr std::size_t kTileColumns = 32;
/// A product fetches half a row of another tile with every kFetchEvery steps of k.
inline constexpr std::size_t kFetchEvery = 8;

/// What a layer makes of its product x; the functions are those of reference.h.
enum class Epilogue : std::uint8_t {
  bias,       // out = x + bias
  gelu,       // out = gelu(x + bias)
  gelu_tanh,  // and so on
  quick_gelu,
  silu,
  relu,
  residual,  // out = out + (x + bias)
  scaled,    // out = out + (x + bias) * scale
};

/// What one step of AdamW does to every element, as adamw() of backward_reference.h reads it. The
/// scalars of torch's fused AdamW: computed in double, rounded to float.
struct AdamwScalars {
  float decay = 1;            // 1 - lr * weight decay; unused where `decays` is false
  bool decays = false;        // the weight decay is not 0
  float first = 0;            // 1 - beta1
  float second = 0;           // beta2
  float second_rest = 0;      // 1 - beta2
  float root_correction = 1;  // sqrt(1 - beta2^t)
  float eps = 0;
  float step = 0;      // -(lr / (1 - beta1^t))
  float gradient = 1;  // the gradient is multiplied by this first; where `clips` alone
  bool clips = false;
};

/// What is called here runs in the caller's floating-point mode, which must be the contract's
/// (FloatMode); linear(), layer_norm() and attention() see to that.
struct KernelTable {
  Isa isa;
  /// Most rows of a block that multiply_panel() takes.
  std::size_t block_rows;
  /// One panel of one tile: for r < rows and c < kTileColumns,
  /// t = dot of x[r * x_stride + k] and tile[k * kTileColumns + c] over k < depth <= kPanel;
  /// out[r * stride + c] = t, or, where `add`, out + t. Meanwhile it asks for the cache lines of
  /// depth / kFetchEvery half rows of a tile from `soon` on.
  void (*multiply_panel)(const float* x, std::size_t x_stride, const float* tile, std::size_t rows,
                         std::size_t depth, bool add, float* out, std::size_t stride,
                         const float* soon);
  /// What a layer does with its product: out = finish(product + bias), as `epilogue` says, for
  /// `rows` rows and `columns` <= kTileColumns columns. `product` may be `out` where columns is
  /// kTileColumns; its rows have kTileColumns elements. `scale` is read by Epilogue::scaled alone.
  void (*finish_tile)(Epilogue epilogue, const float* product, std::size_t product_stride,
                      const float* bias, const float* scale, std::size_t rows, std::size_t columns,
                      float* out, std::size_t stride);
  void (*silu_gate)(float* x, const float* up, std::size_t n);  // x = silu(x) * up
  void (*layer_norm_row)(const float* x, const float* gamma, const float* beta, float eps,
                         std::size_t n, float* out);
  void (*scale_softmax)(float* x, float scale, std::size_t n);  // softmax(x * scale)
  void (*exp)(float* x, std::size_t n);
  void (*erf)(float* x, std::size_t n);
  void (*tanh)(float* x, std::size_t n);

  // Of a backward pass; backward_reference.h says what they compute. `activation` is no residual.
  void (*activate)(Epilogue activation, const float* x, std::size_t n, float* out);
  void (*activation_back)(Epilogue activation, const float* x, std::size_t n, float* gradient);
  /// Adds to dx, and writes the normalized row to `normal`.
  void (*layer_norm_back_row)(const float* x, const float* gamma, const float* dy, float eps,
                              std::size_t n, float* dx, float* normal);
  /// dp [n] of a row's softmax p becomes the gradient of its scores before `scale`.
  void (*softmax_back_row)(const float* p, float scale, std::size_t n, float* dp);
  /// One panel of column sums: t = +0, t = fma(a[r, c], b[r, c], t) for ascending r < rows, where b
  /// is nullptr with 1; out[c] = t, or, where `add`, out + t. For c < columns.
  void (*column_panel)(const float* a, std::size_t a_stride, const float* b, std::size_t b_stride,
                       std::size_t rows, std::size_t columns, bool add, float* out);
  void (*add_row)(const float* x, std::size_t n, float* into);  // into = into + x
  /// False where an element is not finite afterwards.
  bool (*adamw)(const AdamwScalars& scalars, const float* g, std::size_t n, float* p, float* m,
                float* v);
};

/// The kernels of `isa`, or nullptr where this machine or this build has none.
const KernelTable* kernel_table(Isa isa);
/// Those that default_kernels() chose (kernel_choice.h).
const KernelTable& best_kernels();

}  // namespace samebits
