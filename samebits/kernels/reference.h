// The definition of every operation of the engine, to the last bit: plain loops over float32.
//
// Slow, readable, and the authority: a kernel is right where it gives these bits, on any
// instruction set, for any number of threads. Rules: IEEE operations rounded to nearest even, no
// contraction but the fma() that is written, no reassociation, no C library in a result (fma, sqrt
// and fmod apart, which IEEE defines). NaN in gives NaN out; which NaN is not defined, signs of
// zeros are.
//
// The caller's floating-point mode must be the contract's (base/float_mode.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "samebits/base/float_mode.h"

namespace samebits::reference {

/// Summands of one chain: a dot product adds the sums of panels of this many.
inline constexpr std::size_t kPanel = 256;
/// Partial sums of sum().
inline constexpr std::size_t kPartials = 16;

/// Panels of kPanel products: t = +0, t = fma(a[k], b[k], t) for ascending k; the panels' sums are
/// added from left to right. 0 for n = 0. Strides in elements.
float dot(const float* a, const float* b, std::size_t n, std::size_t stride_a = 1,
          std::size_t stride_b = 1);

/// x[i] is added to partial i mod 16 in ascending i; then partials 0-7 += 8-15, 0-3 += 4-7,
/// 0-1 += 2-3, 0 += 1.
float sum(const float* x, std::size_t n);

/// Within 1.1 ULP of e^x; 0 below -104, infinite above 88.73.
float exp(float x);
/// Within 1.2 ULP of the error function.
float erf(float x);

/// Within 2 ULP of the hyperbolic tangent.
float tanh(float x);

float gelu(float x);  // 0.5 x (1 + erf(x / sqrt 2)), as torch's gelu(approximate='none')
/// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), as torch's gelu(approximate='tanh').
float gelu_tanh(float x);
float quick_gelu(float x);  // x / (1 + exp(-1.702 x))
float silu(float x);        // x / (1 + exp(-x))
float relu(float x);        // x where x > 0 or x is NaN, else 0

/// out[r, m] = dot(x[r, :], w[m, :]) + bias[m]; bias may be nullptr. x is [rows, k], w is [m, k],
/// out is [rows, m], all row-major.
void linear(const float* x, const float* w, const float* bias, std::size_t rows, std::size_t k,
            std::size_t m, float* out);

/// For each of `rows` rows of `width`: mean = sum / width; d = x - mean; the sixteen partials of
/// sum() collect fma(d, d, partial); inverse = 1 / sqrt(that sum / width + eps);
/// out = fma(d * inverse, gamma, beta).
void layer_norm(const float* x, const float* gamma, const float* beta, float eps, std::size_t rows,
                std::size_t width, float* out);

/// In place: the exact maximum, exp(x - maximum), sum(), division.
void softmax(float* x, std::size_t n);

/// One head. q, k, v and out are [tokens, width] with `stride` elements from token to token.
/// scores = dot(q, k) * scale; softmax over keys; out = dot(scores, v) over keys.
void attention(const float* q, const float* k, const float* v, std::size_t tokens,
               std::size_t width, std::size_t stride, float scale, std::size_t out_stride,
               float* out);

}  // namespace samebits::reference
