#include "samebits/kernels/backward_reference.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "samebits/base/error.h"
#include "samebits/kernels/polynomials.h"

namespace samebits::reference {
namespace {

template <class Real>
using BackPartials = std::array<Real, kPartials>;

template <class Real>
Real tree_of_partials(BackPartials<Real> p) {
  for (std::size_t half = kPartials / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) p[i] = p[i] + p[i + half];
  }
  return p[0];
}

/// The partials of sum(), which collect fma(a, b, partial).
float sum_of_products(const float* a, const float* b, std::size_t n) {
  BackPartials<float> partials{};
  for (std::size_t i = 0; i < n; ++i)
    partials[i % kPartials] = std::fma(a[i], b[i], partials[i % kPartials]);
  return tree_of_partials(partials);
}

/// The softmax of one head's scores, [tokens, tokens].
std::vector<float> probabilities(const AttentionGradient& head) {
  std::vector<float> p(head.tokens * head.tokens);
  for (std::size_t i = 0; i < head.tokens; ++i) {
    float* row = p.data() + i * head.tokens;
    for (std::size_t j = 0; j < head.tokens; ++j)
      row[j] = dot(head.q + i * head.stride, head.k + j * head.stride, head.width) * head.scale;
    softmax(row, head.tokens);
  }
  return p;
}

}  // namespace

float tree_sum(std::span<const float> values) {
  if (values.empty()) return 0;
  if (values.size() == 1) return values[0];
  const std::size_t left = std::bit_floor(values.size() - 1);
  return tree_sum(values.first(left)) + tree_sum(values.subspan(left));
}

float log(float x) {
  if (std::isnan(x) || x < 0) return std::numeric_limits<float>::quiet_NaN();
  if (x == 0) return -std::numeric_limits<float>::infinity();
  if (std::isinf(x)) return x;
  int exponent = 0;
  double f = std::frexp(static_cast<double>(x), &exponent);  // 0.5 <= f < 1
  constexpr double kRootHalf = 0x1.6a09e667f3bcdp-1;
  if (f < kRootHalf) {
    f = f * 2;
    --exponent;
  }
  // log f = 2 artanh(s): s + s^3 / 3 + s^5 / 5 + ..., with |s| < 0.172
  const double s = (f - 1) / (f + 1);
  const double square = s * s;
  double series = 0;
  for (int k = 23; k >= 1; k -= 2) series = series * square + 1.0 / k;
  constexpr double kLn2 = 0x1.62e42fefa39efp-1;
  return static_cast<float>(exponent * kLn2 + 2 * (s * series));
}

float gelu_slope(float x) {
  const float below = 0.5F * (1 + erf(x * kInverseSqrt2));
  const float density = kInverseSqrt2Pi * exp(-0.5F * (x * x));
  return std::fma(x, density, below);
}

float gelu_tanh_slope(float x) {
  const float square = x * x;
  const float t = tanh(kSqrt2OverPi * std::fma(kGeluCubic, square * x, x));
  const float inner = kSqrt2OverPi * std::fma(3 * kGeluCubic, square, 1.0F);
  const float rise = std::fma(-t, t, 1.0F);
  return std::fma(0.5F * x * rise, inner, 0.5F * (1 + t));
}

float quick_gelu_slope(float x) {
  const float scaled = kQuickGelu * x;
  const float s = 1 / (1 + exp(-scaled));
  return s * std::fma(scaled, 1 - s, 1.0F);
}

float silu_slope(float x) {
  const float s = 1 / (1 + exp(-x));
  return s * std::fma(x, 1 - s, 1.0F);
}

float relu_slope(float x) { return x > 0 || std::isnan(x) ? 1.0F : 0.0F; }

float slope(Epilogue activation, float x) {
  switch (activation) {
    case Epilogue::gelu: return gelu_slope(x);
    case Epilogue::gelu_tanh: return gelu_tanh_slope(x);
    case Epilogue::quick_gelu: return quick_gelu_slope(x);
    case Epilogue::silu: return silu_slope(x);
    case Epilogue::relu: return relu_slope(x);
    case Epilogue::bias:
    case Epilogue::residual:
    case Epilogue::scaled: break;
  }
  return 1;
}

void linear_input_gradient(const float* dy, const float* w, std::size_t rows, std::size_t k,
                           std::size_t m, float* dx) {
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t i = 0; i < k; ++i) dx[r * k + i] = dot(dy + r * m, w + i, m, 1, k);
  }
}

void weight_gradient(const float* dy, const float* x, const LeafRows& leaves, std::size_t k,
                     std::size_t m, float* dw) {
  std::vector<float> sums(leaves.count());
  for (std::size_t j = 0; j < m; ++j) {
    for (std::size_t i = 0; i < k; ++i) {
      for (std::size_t leaf = 0; leaf < sums.size(); ++leaf) {
        const std::size_t first = leaves.begin(leaf);
        sums[leaf] = dot(dy + first * m + j, x + first * k + i, leaves.size(leaf), m, k);
      }
      dw[j * k + i] = tree_sum(sums);
    }
  }
}

void column_gradient(const float* a, std::size_t a_stride, const float* b, std::size_t b_stride,
                     const LeafRows& leaves, std::size_t columns, float* out) {
  std::vector<float> sums(leaves.count());
  constexpr float kOne = 1;
  for (std::size_t c = 0; c < columns; ++c) {
    for (std::size_t leaf = 0; leaf < sums.size(); ++leaf) {
      const std::size_t first = leaves.begin(leaf);
      const float* other = b == nullptr ? &kOne : b + first * b_stride + c;
      sums[leaf] = dot(a + first * a_stride + c, other, leaves.size(leaf), a_stride,
                       b == nullptr ? 0 : b_stride);
    }
    out[c] = tree_sum(sums);
  }
}

void layer_norm_gradient(const float* x, const float* gamma, const float* dy, float eps,
                         std::size_t width, float* dx, float* normal) {
  const auto n = static_cast<float>(width);
  const float mean = sum(x, width) / n;
  std::vector<float> g(width);
  for (std::size_t i = 0; i < width; ++i) g[i] = x[i] - mean;
  const float inverse = 1 / std::sqrt(sum_of_products(g.data(), g.data(), width) / n + eps);
  for (std::size_t i = 0; i < width; ++i) {
    normal[i] = g[i] * inverse;
    g[i] = dy[i] * gamma[i];
  }
  const float a = sum(g.data(), width) / n;
  const float b = sum_of_products(g.data(), normal, width) / n;
  for (std::size_t i = 0; i < width; ++i)
    dx[i] = dx[i] + std::fma(-normal[i], b, g[i] - a) * inverse;
}

void softmax_gradient(const float* p, float scale, std::size_t n, float* dp) {
  const float d = sum_of_products(dp, p, n);
  for (std::size_t i = 0; i < n; ++i) dp[i] = p[i] * (dp[i] - d) * scale;
}

void attention_gradient(const AttentionGradient& head, float* dq, float* dk, float* dv) {
  const std::size_t n = head.tokens;
  const std::size_t stride = head.stride;
  const std::vector<float> p = probabilities(head);
  std::vector<float> kept = p;
  std::vector<float> ds(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      float& each = ds[i * n + j];
      each = dot(head.dout + i * head.dout_stride, head.v + j * stride, head.width);
      if (head.factors == nullptr) continue;
      each = each * head.factors[i * n + j];
      kept[i * n + j] = kept[i * n + j] * head.factors[i * n + j];
    }
    softmax_gradient(p.data() + i * n, head.scale, n, ds.data() + i * n);
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t d = 0; d < head.width; ++d) {
      dq[i * stride + d] = dot(ds.data() + i * n, head.k + d, n, 1, stride);
      dk[i * stride + d] = dot(ds.data() + i, head.q + d, n, n, stride);
      dv[i * stride + d] = dot(kept.data() + i, head.dout + d, n, n, head.dout_stride);
    }
  }
}

double sum_of_squares(const float* x, std::size_t n) {
  double total = 0;
  for (std::size_t first = 0; first < n; first += kSquaresTogether) {
    BackPartials<double> partials{};
    const std::size_t count = std::min(kSquaresTogether, n - first);
    for (std::size_t i = 0; i < count; ++i) {
      const auto each = static_cast<double>(x[first + i]);
      partials[i % kPartials] += each * each;
    }
    total += tree_of_partials(partials);
  }
  return total;
}

bool adamw(const AdamwScalars& s, const float* g, std::size_t n, float* p, float* m, float* v) {
  bool finite = true;
  for (std::size_t i = 0; i < n; ++i) {
    const float gradient = s.clips ? g[i] * s.gradient : g[i];
    if (s.decays) p[i] = p[i] * s.decay;
    const float change = gradient - m[i];
    m[i] =
        s.first < 0.5F ? std::fma(s.first, change, m[i]) : std::fma(s.first - 1, change, gradient);
    v[i] = std::fma(s.second_rest * gradient, gradient, v[i] * s.second);
    const float divisor = std::sqrt(v[i]) / s.root_correction + s.eps;
    p[i] = p[i] + s.step * m[i] / divisor;
    finite = finite && std::isfinite(p[i]);
  }
  return finite;
}

void adamw_tail(const AdamwScalars& s, float g, float* p, float* m, float* v) {
  const float gradient = s.clips ? g * s.gradient : g;
  if (s.decays) *p = *p * s.decay;
  const float change = gradient - *m;
  *m = s.first < 0.5F ? std::fma(s.first, change, *m) : std::fma(s.first - 1, change, gradient);
  *v = std::fma(*v, s.second, s.second_rest * gradient * gradient);
  const float divisor = std::sqrt(*v) / s.root_correction + s.eps;
  *p = *p + s.step * *m / divisor;
}

}  // namespace samebits::reference
