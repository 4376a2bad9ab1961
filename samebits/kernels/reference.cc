#include "samebits/kernels/reference.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "samebits/kernels/polynomials.h"

namespace samebits::reference {
namespace {

using Partials = std::array<float, kPartials>;

float tree(Partials p) {
  for (std::size_t half = kPartials / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) p[i] = p[i] + p[i + half];
  }
  return p[0];
}

template <std::size_t N>
float polynomial(const std::array<float, N>& coefficients, float x) {
  float y = coefficients[N - 1];
  for (std::size_t i = N - 1; i-- > 0;) y = std::fma(y, x, coefficients[i]);
  return y;
}

float power_of_two(std::int32_t n) {  // -126 <= n <= 127
  return std::bit_cast<float>(static_cast<std::uint32_t>(n + 127) << 23);
}

float maximum(const float* x, std::size_t n) {
  float most = x[0];
  for (std::size_t i = 1; i < n; ++i) {
    if (x[i] > most || std::isnan(x[i])) most = x[i];
  }
  return most;
}

}  // namespace

float dot(const float* a, const float* b, std::size_t n, std::size_t stride_a,
          std::size_t stride_b) {
  float s = 0;
  for (std::size_t first = 0; first < n; first += kPanel) {
    float t = 0;
    for (std::size_t k = first; k < std::min(first + kPanel, n); ++k)
      t = std::fma(a[k * stride_a], b[k * stride_b], t);
    s = first == 0 ? t : s + t;
  }
  return s;
}

float sum(const float* x, std::size_t n) {
  Partials partials{};
  for (std::size_t i = 0; i < n; ++i) partials[i % kPartials] += x[i];
  return tree(partials);
}

float exp(float x) {
  if (std::isnan(x)) return x;
  if (x > kExpHighest) return std::numeric_limits<float>::infinity();
  if (x < kExpLowest) return 0;
  const float shifted = std::fma(x, kLog2E, kRound);
  const auto n = static_cast<std::int32_t>(std::bit_cast<std::uint32_t>(shifted) -
                                           std::bit_cast<std::uint32_t>(kRound));
  const float whole = shifted - kRound;
  float r = std::fma(whole, -kLn2High, x);
  r = std::fma(whole, -kLn2Low, r);
  const float power = std::fma(r * r, polynomial(kExp, r), r) + 1;
  // In two steps, the second of which rounds where the result is subnormal.
  const std::int32_t half = n >> 1;
  return power * power_of_two(half) * power_of_two(n - half);
}

float erf(float x) {
  if (std::isnan(x)) return x;
  const float size = std::fabs(x);
  if (size < kErfSplit) return std::fma(x, polynomial(kErfSmall, x * x), x);
  const float at = size < kErfOne ? size : kErfOne;
  return std::copysign(1 - exp(polynomial(kErfLarge, at)), x);
}

float tanh(float x) {
  if (std::isnan(x)) return x;
  const float size = std::fabs(x);
  if (size < kTanhSplit)
    return std::copysign(std::fma(x, polynomial(kTanhSmall, x * x), x), x);  // -0 stays -0
  if (size >= kTanhOne) return std::copysign(1.0F, x);
  return std::copysign(1 - 2 / (exp(2 * size) + 1), x);
}

float gelu(float x) { return 0.5F * x * (1 + erf(x * kInverseSqrt2)); }

float gelu_tanh(float x) {
  const float inner = kSqrt2OverPi * std::fma(kGeluCubic, x * x * x, x);
  return 0.5F * x * (1 + tanh(inner));
}

float quick_gelu(float x) { return x / (1 + exp(-(kQuickGelu * x))); }

float silu(float x) { return x / (1 + exp(-x)); }

float relu(float x) { return x > 0 || std::isnan(x) ? x : 0; }

void linear(const float* x, const float* w, const float* bias, std::size_t rows, std::size_t k,
            std::size_t m, float* out) {
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t j = 0; j < m; ++j) {
      const float s = dot(x + r * k, w + j * k, k);
      out[r * m + j] = bias == nullptr ? s : s + bias[j];
    }
  }
}

void layer_norm(const float* x, const float* gamma, const float* beta, float eps, std::size_t rows,
                std::size_t width, float* out) {
  const auto n = static_cast<float>(width);
  for (std::size_t r = 0; r < rows; ++r, x += width, out += width) {
    const float mean = sum(x, width) / n;
    Partials partials{};
    for (std::size_t i = 0; i < width; ++i) {
      const float d = x[i] - mean;
      partials[i % kPartials] = std::fma(d, d, partials[i % kPartials]);
    }
    const float inverse = 1 / std::sqrt(tree(partials) / n + eps);
    for (std::size_t i = 0; i < width; ++i)
      out[i] = std::fma((x[i] - mean) * inverse, gamma[i], beta[i]);
  }
}

void softmax(float* x, std::size_t n) {
  if (n == 0) return;
  const float most = maximum(x, n);
  for (std::size_t i = 0; i < n; ++i) x[i] = exp(x[i] - most);
  const float total = sum(x, n);
  for (std::size_t i = 0; i < n; ++i) x[i] = x[i] / total;
}

void attention(const float* q, const float* k, const float* v, std::size_t tokens,
               std::size_t width, std::size_t stride, float scale, std::size_t out_stride,
               float* out) {
  std::vector<float> scores(tokens);
  for (std::size_t i = 0; i < tokens; ++i) {
    for (std::size_t j = 0; j < tokens; ++j)
      scores[j] = dot(q + i * stride, k + j * stride, width) * scale;
    softmax(scores.data(), tokens);
    for (std::size_t d = 0; d < width; ++d)
      out[i * out_stride + d] = dot(scores.data(), v + d, tokens, 1, stride);
  }
}

}  // namespace samebits::reference
