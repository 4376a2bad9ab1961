// What torch's in-place random functions write, bit for bit, as the official CPU build for x86-64
// with AVX2 does (ATEN_CPU_CAPABILITY=default gives other normals). Fills are serial: threads do
// not matter, nor does the caller's floating-point mode.
//
// Checked against torch 2.13 itself in tests/parity/rng_test.py. Does not hold: trunc_normal_
// of older versions (official builds take erfinv from MKL), normals of half types, CUDA.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "samebits/rng/cpu_generator.h"

namespace samebits {

/// Tensor.uniform_(from, to); rand() is from 0 to 1. Requires from <= to.
void uniform(CpuGenerator& generator, double from, double to, std::span<float> out);
void uniform(CpuGenerator& generator, double from, double to, std::span<double> out);

/// The half types: the value of the float fill, rounded; one that rounds up to `to` becomes `from`.
void uniform_float16(CpuGenerator& generator, double from, double to, std::span<std::uint16_t> out);
void uniform_bfloat16(CpuGenerator& generator, double from, double to,
                      std::span<std::uint16_t> out);

/// Tensor.normal_(mean, std) of a contiguous tensor; randn() is 0 and 1. Sixteen elements and more
/// are filled in blocks, fewer one by one, as in torch.
void normal(CpuGenerator& generator, double mean, double std, std::span<float> out);
void normal(CpuGenerator& generator, double mean, double std, std::span<double> out);

/// nn.init.trunc_normal_(mean 0, std, a, b) of a contiguous tensor, where more than 0.3 of the
/// distribution lies between a and b: draws of the whole tensor, until none is outside; the first
/// that is inside stays. Requires that.
void trunc_normal(CpuGenerator& generator, double std, double a, double b, std::span<float> out);

/// randperm(n).
std::vector<std::int64_t> randperm(CpuGenerator& generator, std::int64_t n);

/// randint(low, high): Requires low < high.
void randint(CpuGenerator& generator, std::int64_t low, std::int64_t high,
             std::span<std::int64_t> out);

/// Tensor.bernoulli_(p): ones with probability p. Requires 0 <= p <= 1.
void bernoulli(CpuGenerator& generator, double p, std::span<float> out);
/// torch.bernoulli(probabilities). Requires equal sizes.
void bernoulli(CpuGenerator& generator, std::span<const float> probabilities, std::span<float> out);

/// The factors by which dropout(p) in training mode multiplies: 0, or 1 / (1 - p).
/// Requires 0 <= p < 1.
void dropout_mask(CpuGenerator& generator, double p, std::span<float> out);
/// Draws what dropout_mask() of so many elements draws.
void skip_dropout_mask(CpuGenerator& generator, std::size_t elements);

/// What nn.Linear and nn.Conv2d draw when they are made: the weight (kaiming_uniform_ with
/// a = sqrt(5)), then the bias, if they have one.
void init_linear(CpuGenerator& generator, std::int64_t fan_in, std::span<float> weight,
                 std::span<float> bias);
/// nn.init.xavier_uniform_ with gain 1.
void xavier_uniform(CpuGenerator& generator, std::int64_t fan_in, std::int64_t fan_out,
                    std::span<float> out);

}  // namespace samebits
