// The definition of every operation of a training step behind the forward pass, to the last bit:
// gradients, sums over leaves, and AdamW. Plain loops over float32, slow, and the authority, as
// reference.h is for the forward pass; its rules hold here too.
//
// A gradient of a weight is a sum over rows (image, token). Rows are cut into leaves of equal
// length, the last of which may be shorter. Inside a leaf the sum is one dot() of reference.h,
// panels of 256 rows; leaves are added by tree_sum(). So a gradient depends on the rows, their
// order and the length of a leaf alone.
#pragma once

#include <cstddef>
#include <span>

#include "samebits/kernels/kernel_table.h"
#include "samebits/kernels/reference.h"

namespace samebits {

/// Rows cut into leaves.
struct LeafRows {
  std::size_t rows = 0, of_leaf = 1;

  std::size_t count() const { return (rows + of_leaf - 1) / of_leaf; }
  std::size_t begin(std::size_t leaf) const { return leaf * of_leaf; }
  std::size_t size(std::size_t leaf) const {
    return begin(leaf) + of_leaf < rows ? of_leaf : rows - begin(leaf);
  }
};

namespace reference {

/// A fixed binary tree: one value is itself; of n the first p, the largest power of two below n,
/// are one sum, the others another, and the two are added. 0 for none.
float tree_sum(std::span<const float> values);

/// Computed in double and rounded once: the natural logarithm, within 0.51 ULP. NaN for negative
/// numbers and NaN, minus infinity for zeros.
float log(float x);

/// The derivative of an activation.
float slope(Epilogue activation, float x);
float gelu_slope(float x);        // fma(x, exp(-x x / 2) / sqrt(2 pi), (1 + erf(x / sqrt 2)) / 2)
float gelu_tanh_slope(float x);   // t = tanh(u): (1 + t) / 2 + x / 2 * (1 - t t) * u'
float quick_gelu_slope(float x);  // s = 1 / (1 + exp(-1.702 x)): s * fma(1.702 x, 1 - s, 1)
float silu_slope(float x);        // s = 1 / (1 + exp(-x)): s * fma(x, 1 - s, 1)
float relu_slope(float x);        // 1 where x > 0 or x is NaN, else 0

/// Of y = x w': dx[r, k] = dot(dy[r, :], w[:, k]). dy is [rows, m], w [m, k], dx [rows, k].
void linear_input_gradient(const float* dy, const float* w, std::size_t rows, std::size_t k,
                           std::size_t m, float* dx);

/// dw[m, k]: over the leaves the tree of dot(dy[:, m], x[:, k]).
void weight_gradient(const float* dy, const float* x, const LeafRows& leaves, std::size_t k,
                     std::size_t m, float* dw);

/// out[c]: over the leaves the tree of dot(a[:, c], b[:, c]). b may be nullptr: ones. Strides from
/// row to row.
void column_gradient(const float* a, std::size_t a_stride, const float* b, std::size_t b_stride,
                     const LeafRows& leaves, std::size_t columns, float* out);

/// One row of layer_norm(): mean and inverse as there; n[i] = (x[i] - mean) * inverse;
/// g[i] = dy[i] * gamma[i]; a = sum(g) / width; b = the sixteen partials of sum() collecting
/// fma(g, n, partial) / width; dx[i] = dx[i] + fma(-n[i], b, g[i] - a) * inverse. `normal` is n.
void layer_norm_gradient(const float* x, const float* gamma, const float* dy, float eps,
                         std::size_t width, float* dx, float* normal);

/// One row: d = the sixteen partials of sum() collecting fma(dp, p, partial);
/// dp[i] = (p[i] * (dp[i] - d)) * scale.
void softmax_gradient(const float* p, float scale, std::size_t n, float* dp);

/// Of one head: what attention() reads, and the gradient of what it wrote. `factors` [tokens,
/// tokens] were multiplied onto the softmax p; nullptr: none were.
struct AttentionGradient {
  const float *q = nullptr, *k = nullptr, *v = nullptr, *dout = nullptr;
  const float* factors = nullptr;
  std::size_t tokens = 0, width = 0, stride = 0, dout_stride = 0;
  float scale = 1;
};
/// dv[j, d] = dot(p[:, j] * factors[:, j], dout[:, d]); dp = dot(dout[i, :], v[j, :]) * factors;
/// ds = softmax_gradient(p, scale, dp); dq[i, d] = dot(ds[i, :], k[:, d]);
/// dk[j, d] = dot(ds[:, j], q[:, d]). The results have the stride of q, k and v.
void attention_gradient(const AttentionGradient& head, float* dq, float* dk, float* dv);

/// The sum of squares of x in double: sixteen partials that collect double(x) * double(x), added as
/// in sum(), for every 65536 elements; these are added in ascending order.
double sum_of_squares(const float* x, std::size_t n);
inline constexpr std::size_t kSquaresTogether = 65536;

/// One step of AdamW as torch 2.13's fused AdamW computes the body of a tensor: g = g * gradient
/// (where it clips); p = p * decay (where it decays); m = fma(first, g - m, m) where first < 0.5,
/// else fma(first - 1, g - m, g); v = fma(second_rest * g, g, v * second); p = p + (step * m) /
/// (sqrt(v) / root_correction + eps).
bool adamw(const AdamwScalars& scalars, const float* g, std::size_t n, float* p, float* m,
           float* v);
/// One element of the last numel % 8 of a tensor, as torch computes those: v = fma(v, second,
/// (second_rest * g) * g), and the rest as in adamw().
void adamw_tail(const AdamwScalars& scalars, float g, float* p, float* m, float* v);

}  // namespace reference
}  // namespace samebits
