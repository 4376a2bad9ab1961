// The inner loops of the engine, once for each instruction set. Every one gives the bits of
// reference.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace samebits {

enum class Isa : std::uint8_t { scalar, avx2, avx512 };
const char* isa_name(Isa isa);  // "avx512"

/// Columns that a packed matrix keeps side by side, whatever the instruction set.
inline constexpr std::size_t kTileColumns = 32;

struct KernelTable {
  Isa isa;
  /// Most rows of a block that multiply_panel() takes.
  std::size_t block_rows;
  /// One panel of one tile: for r < rows and c < kTileColumns,
  /// t = dot of x[r * x_stride + k] and tile[k * kTileColumns + c] over k < depth <= kPanel;
  /// out[r * stride + c] = t, or, where `add`, out + t.
  void (*multiply_panel)(const float* x, std::size_t x_stride, const float* tile, std::size_t rows,
                         std::size_t depth, bool add, float* out, std::size_t stride);
  void (*add_bias)(float* x, const float* bias, std::size_t n);          // x = x + bias
  void (*add_bias_gelu)(float* x, const float* bias, std::size_t n);     // x = gelu(x + bias)
  void (*add_bias_to)(const float* x, const float* bias, std::size_t n,  // out = out + (x + bias)
                      float* out);
  void (*add_scaled_to)(const float* x, const float* bias, const float* scale, std::size_t n,
                        float* out);                            // out = out + (x + bias) * scale
  void (*silu_gate)(float* x, const float* up, std::size_t n);  // x = silu(x) * up
  void (*layer_norm_row)(const float* x, const float* gamma, const float* beta, float eps,
                         std::size_t n, float* out);
  void (*scale_softmax)(float* x, float scale, std::size_t n);  // softmax(x * scale)
  void (*exp)(float* x, std::size_t n);
  void (*erf)(float* x, std::size_t n);
};

/// The kernels of `isa`, or nullptr where this machine or this build has none.
const KernelTable* kernel_table(Isa isa);
/// The widest that this machine has.
const KernelTable& best_kernels();

}  // namespace samebits
