#include "samebits/rng/distributions.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <numeric>

#include "samebits/base/float_mode.h"
#include "samebits/rng/normal_blocks.h"

namespace samebits {
namespace {

constexpr std::size_t kBlock = 16;

float uniform_float(CpuGenerator& generator, float from, float to) {
  return std::fma(generator.uniform_float(), to - from, from);
}

std::uint16_t to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

// Of a finite value below 65504.
std::uint16_t to_float16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000;
  const float size = std::fabs(value);
  if (size < 0x1p-14F) {  // subnormal: multiples of 2^-24, rounded by an addition
    const auto units = std::bit_cast<std::uint32_t>(size * 0x1p24F + 0x1p23F) & 0x7FF;
    return static_cast<std::uint16_t>(sign | units);
  }
  const std::uint32_t magnitude = bits & 0x7FFFFFFF;
  const std::uint32_t rounded = magnitude + 0x0FFF + ((magnitude >> 13) & 1);
  return static_cast<std::uint16_t>(sign | ((rounded - (112U << 23)) >> 13));
}

// torch's generic fill in double, in blocks of sixteen.
void fill_block(double* samples, double mean, double std) {
  for (int j = 0; j < 8; ++j) {
    const double radius = std::sqrt(-2 * std::log(1 - samples[j]));
    const double theta = 2.0 * std::numbers::pi * samples[j + 8];
    samples[j] = radius * std::cos(theta) * std + mean;
    samples[j + 8] = radius * std::sin(theta) * std + mean;
  }
}

void fill_block(float* samples, double mean, double std) {
  normal_block(std::span<float, kBlock>(samples, kBlock), static_cast<float>(mean),
               static_cast<float>(std));
}

template <class T>
void fill_normal(CpuGenerator& generator, double mean, double std, std::span<T> out) {
  if (out.size() < kBlock) {
    for (T& value : out) value = static_cast<T>(generator.normal_double(mean, std));
    return;
  }
  uniform(generator, 0, 1, out);
  for (std::size_t i = 0; i + kBlock <= out.size(); i += kBlock)
    fill_block(out.data() + i, mean, std);
  if (out.size() % kBlock == 0) return;
  // The last sixteen once more, from fresh samples.
  const std::span<T> tail = out.last(kBlock);
  uniform(generator, 0, 1, tail);
  fill_block(tail.data(), mean, std);
}

}  // namespace

void uniform(CpuGenerator& generator, double from, double to, std::span<float> out) {
  const FloatMode contract;
  const auto low = static_cast<float>(from);
  const auto high = static_cast<float>(to);
  for (float& value : out) value = uniform_float(generator, low, high);
}

void uniform(CpuGenerator& generator, double from, double to, std::span<double> out) {
  const FloatMode contract;
  for (double& value : out) value = std::fma(generator.uniform_double(), to - from, from);
}

void uniform_float16(CpuGenerator& generator, double from, double to,
                     std::span<std::uint16_t> out) {
  const FloatMode contract;
  const auto low = static_cast<float>(from);
  const auto high = static_cast<float>(to);
  for (std::uint16_t& value : out) {
    value = to_float16(uniform_float(generator, low, high));
    if (value == to_float16(high)) value = to_float16(low);
  }
}

void uniform_bfloat16(CpuGenerator& generator, double from, double to,
                      std::span<std::uint16_t> out) {
  const FloatMode contract;
  const auto low = static_cast<float>(from);
  const auto high = static_cast<float>(to);
  for (std::uint16_t& value : out) {
    value = to_bfloat16(uniform_float(generator, low, high));
    if (value == to_bfloat16(high)) value = to_bfloat16(low);
  }
}

void normal(CpuGenerator& generator, double mean, double std, std::span<float> out) {
  const FloatMode contract;
  fill_normal(generator, mean, std, out);
}

void normal(CpuGenerator& generator, double mean, double std, std::span<double> out) {
  const FloatMode contract;
  fill_normal(generator, mean, std, out);
}

void trunc_normal(CpuGenerator& generator, double std, double a, double b, std::span<float> out) {
  const FloatMode contract;
  const auto low = static_cast<float>(a);
  const auto high = static_cast<float>(b);
  const auto outside = [&](float value) { return value < low || value > high; };
  normal(generator, 0, std, out);
  std::vector<float> more(out.size());
  while (std::ranges::any_of(out, outside)) {
    normal(generator, 0, std, std::span<float>(more));
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (outside(out[i])) out[i] = more[i];
    }
  }
}

std::vector<std::int64_t> randperm(CpuGenerator& generator, std::int64_t n) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  for (std::size_t i = 0; i + 1 < order.size(); ++i)
    std::swap(order[i], order[i + generator.random() % (order.size() - i)]);
  return order;
}

void randint(CpuGenerator& generator, std::int64_t low, std::int64_t high,
             std::span<std::int64_t> out) {
  const std::uint64_t range = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
  const bool wide = range >= std::uint64_t{1} << 28;  // torch allows a skew of 5 % below
  for (std::int64_t& value : out) {
    const std::uint64_t drawn = wide ? generator.random64() : generator.random();
    value = static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + drawn % range);
  }
}

void bernoulli(CpuGenerator& generator, double p, std::span<float> out) {
  const FloatMode contract;
  for (float& value : out) value = generator.uniform_double() < p ? 1 : 0;
}

void bernoulli(CpuGenerator& generator, std::span<const float> probabilities,
               std::span<float> out) {
  const FloatMode contract;
  SAMEBITS_CHECK(probabilities.size() == out.size());
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = generator.uniform_float() < probabilities[i] ? 1 : 0;
}

void dropout_mask(CpuGenerator& generator, double p, std::span<float> out) {
  const FloatMode contract;
  bernoulli(generator, 1 - p, out);
  const auto keep = static_cast<float>(1 - p);
  for (float& value : out) value = value / keep;
}

void skip_dropout_mask(CpuGenerator& generator, std::size_t elements) {
  for (std::size_t i = 0; i < elements; ++i) generator.random64();
}

void init_linear(CpuGenerator& generator, std::int64_t fan_in, std::span<float> weight,
                 std::span<float> bias) {
  const FloatMode contract;
  const double root = std::sqrt(static_cast<double>(fan_in));
  const double gain = std::sqrt(2.0 / (1 + std::sqrt(5.0) * std::sqrt(5.0)));
  const double bound = std::sqrt(3.0) * (gain / root);
  uniform(generator, -bound, bound, weight);
  if (!bias.empty()) uniform(generator, -1 / root, 1 / root, bias);
}

void xavier_uniform(CpuGenerator& generator, std::int64_t fan_in, std::int64_t fan_out,
                    std::span<float> out) {
  const FloatMode contract;
  const double std = std::sqrt(2.0 / static_cast<double>(fan_in + fan_out));
  const double bound = std::sqrt(3.0) * std;
  uniform(generator, -bound, bound, out);
}

}  // namespace samebits
