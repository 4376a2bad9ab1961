// Gradients of a training step on many threads: of linear layers, layer norms and sums over rows.
//
// Bits: those of backward_reference.h, whatever the kernels and the number of threads.
#pragma once

#include <cstddef>
#include <vector>

#include "samebits/kernels/backward_reference.h"
#include "samebits/kernels/linear.h"

namespace samebits {

/// Reused from call to call; grows as needed.
struct GradientWorkspace {
  AlignedFloats turned, tiles;           // of weight_gradient()
  AlignedFloats normal;                  // of layer_norm_back()
  std::vector<float> no_bias;            // -0: x + -0 is x
  std::vector<PackedMatrix> transposed;  // of input_gradient(), one of each size
};

/// Rows of a buffer, `stride` elements from row to row.
struct RowsOf {
  const float* values = nullptr;
  std::size_t stride = 0;
};

/// Of y = x w' + bias: dx [rows, w.depth()] from dy [rows, w.columns()], with `dx_stride`.
void input_gradient(const Engine& engine, RowsOf dy, std::size_t rows, const PackedMatrix& w,
                    float* dx, std::size_t dx_stride, GradientWorkspace& workspace);

/// And the gradient of w, which has its sizes and its order of elements; zeros behind the last
/// column.
void weight_gradient(const Engine& engine, RowsOf dy, RowsOf x, const LeafRows& leaves,
                     PackedMatrix& out, GradientWorkspace& workspace);

/// reference::column_gradient(); b.values may be nullptr.
void column_gradient(const Engine& engine, RowsOf a, RowsOf b, const LeafRows& leaves,
                     std::size_t columns, float* out);

/// Of a layer norm of x [rows, width]: dx, dense, is added to; dgamma and dbeta are written.
struct LayerNormBack {
  const float* x = nullptr;
  const float* gamma = nullptr;
  RowsOf dy;
  float eps = 0;
  std::size_t width = 0;
  float* dx = nullptr;
  float* dgamma = nullptr;
  float* dbeta = nullptr;
};
void layer_norm_back(const Engine& engine, const LayerNormBack& norm, const LeafRows& leaves,
                     GradientWorkspace& workspace);

/// Rows of `width` elements, each with its stride: out = f(x), or gradient *= f'(x).
void activate(const Engine& engine, Epilogue activation, RowsOf x, std::size_t rows,
              std::size_t width, float* out, std::size_t out_stride);
void activation_back(const Engine& engine, Epilogue activation, RowsOf x, std::size_t rows,
                     std::size_t width, float* gradient, std::size_t stride);

}  // namespace samebits
