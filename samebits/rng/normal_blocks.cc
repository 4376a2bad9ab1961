#include "samebits/rng/normal_blocks.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace samebits {
namespace {

// Everything below is inlined into one function for machines with FMA and one for those without,
// where fma() is the C library's: slower, and the same by definition.
#define SAMEBITS_INLINE inline __attribute__((always_inline))

SAMEBITS_INLINE float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }

SAMEBITS_INLINE float log_of(float x) {
  std::uint32_t bits = std::bit_cast<std::uint32_t>(x < 0x1p-126F ? 0x1p-126F : x);
  float e = static_cast<float>(static_cast<std::int32_t>(bits >> 23) - 0x7f) + 1;
  bits = (bits & ~0x7f800000U) | 0x3f000000U;
  x = std::bit_cast<float>(bits);  // in [0.5, 1)
  const bool small = x < 0.707106781186547524F;
  const float again = small ? x : 0;
  x -= 1;
  e -= small ? 1 : 0;
  x += again;
  const float z = x * x;
  float y = 7.0376836292E-2F;
  y = fused(y, x, -1.1514610310E-1F);
  y = fused(y, x, 1.1676998740E-1F);
  y = fused(y, x, -1.2420140846E-1F);
  y = fused(y, x, 1.4249322787E-1F);
  y = fused(y, x, -1.6668057665E-1F);
  y = fused(y, x, 2.0000714765E-1F);
  y = fused(y, x, -2.4999993993E-1F);
  y = fused(y, x, 3.3333331174E-1F);
  y = y * x;
  y = fused(y, z, e * -2.12194440e-4F);
  y = fused(-z, 0.5F, y);
  x = x + y;
  return fused(e, 0.693359375F, x);
}

struct SinCos {
  float sin, cos;
};

SAMEBITS_INLINE float with_sign(float value, std::uint32_t sign) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) ^ sign);
}

// Of an angle that is not negative.
SAMEBITS_INLINE SinCos sin_cos_of(float x) {
  auto octant = static_cast<std::uint32_t>(static_cast<std::int32_t>(x * 1.27323954473516F));
  octant = (octant + 1) & ~1U;
  const auto y = static_cast<float>(static_cast<std::int32_t>(octant));
  x = fused(y, -0.78515625F, x);
  x = fused(y, -2.4187564849853515625e-4F, x);
  x = fused(y, -3.77489497744594108e-8F, x);
  const std::uint32_t sign_sin = (octant & 4) << 29;
  const std::uint32_t sign_cos = (~(octant - 2) & 4) << 29;
  const float z = x * x;
  float c = 2.443315711809948E-5F;
  c = fused(c, z, -1.388731625493765E-3F);
  c = fused(c, z, 4.166664568298827E-2F);
  c = c * z;
  c = fused(c, z, -(z * 0.5F));
  c = c + 1;
  float s = -1.9515295891E-4F;
  s = fused(s, z, 8.3321608736E-3F);
  s = fused(s, z, -1.6666654611E-1F);
  s = s * z;
  s = fused(s, x, x);
  const bool straight = (octant & 2) == 0;
  return {with_sign(straight ? s : c, sign_sin), with_sign(straight ? c : s, sign_cos)};
}

SAMEBITS_INLINE void fill(float* samples, float mean, float std) {
  constexpr float kTwoPi = 2.0F * std::numbers::pi_v<float>;
  for (int j = 0; j < 8; ++j) {
    const float radius = std::sqrt(-2.0F * log_of(1.0F - samples[j]));
    const SinCos angle = sin_cos_of(kTwoPi * samples[j + 8]);
    samples[j] = fused(radius * angle.cos, std, mean);
    samples[j + 8] = fused(radius * angle.sin, std, mean);
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) void fill_with_fma(float* samples, float mean, float std) {
  fill(samples, mean, std);
}
#endif

void fill_plainly(float* samples, float mean, float std) { fill(samples, mean, std); }

}  // namespace

void normal_block(std::span<float, 16> samples, float mean, float std) {
#if defined(__x86_64__)
  static const bool has_fma = __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx2");
  if (has_fma) return fill_with_fma(samples.data(), mean, std);
#endif
  fill_plainly(samples.data(), mean, std);
}

}  // namespace samebits
