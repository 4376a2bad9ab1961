// Elements of every type as doubles: the part of stats_loops_body.h that reads what is stored.
#pragma once

#include "samebits/compare/stats_loops.h"

#if SAMEBITS_STATS_WIDTH == 64
#include <immintrin.h>
#endif

namespace samebits {
namespace {

template <class T>
inline T stored_at(const unsigned char* raw, std::size_t i) {
  T value;
  __builtin_memcpy(&value, raw + i * sizeof(T), sizeof(T));
  return value;
}

template <class T>
inline void widen_as(const unsigned char* raw, std::size_t n, double* numbers) {
  for (std::size_t i = 0; i < n; ++i) numbers[i] = static_cast<double>(stored_at<T>(raw, i));
}

inline void widen_bfloat16(const unsigned char* raw, std::size_t n, double* numbers) {
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t bits = static_cast<std::uint32_t>(stored_at<std::uint16_t>(raw, i)) << 16;
    numbers[i] = static_cast<double>(__builtin_bit_cast(float, bits));
  }
}

// The exponent is moved to float's; a subnormal is one with an implicit one too many.
inline void widen_float16(const unsigned char* raw, std::size_t n, double* numbers) {
  constexpr std::uint32_t kRebias = 112u << 23;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t half = stored_at<std::uint16_t>(raw, i);
    const std::uint32_t size = (half & 0x7FFF) << 13;
    const std::uint32_t special = size >= (31u << 23) ? kRebias : 0;
    const float normal = __builtin_bit_cast(float, size + kRebias + special);
    const float subnormal = __builtin_bit_cast(float, size + kRebias + (1u << 23)) - 0x1p-14F;
    const std::uint32_t bits =
        __builtin_bit_cast(std::uint32_t, size < (1u << 23) ? subnormal : normal) | (half & 0x8000)
                                                                                        << 16;
    numbers[i] = static_cast<double>(__builtin_bit_cast(float, bits));
  }
}

/// A format of one byte with a sign.
struct Float8 {
  int mantissa, bias;  // bits after the leading one; what exponents are moved by
  bool has_infinity;   // the largest exponent means infinity and NaN
  bool has_minus_zero;
};

// As above; where there is no infinity, NaN is the largest code, or the one of minus zero.
template <Float8 format>
inline void widen_float8(const unsigned char* raw, std::size_t n, double* numbers) {
  constexpr std::uint32_t kRebias = static_cast<std::uint32_t>(127 - format.bias) << 23;
  constexpr std::uint32_t kInfinity = format.has_infinity ? 31u << 23 : 0xFFFFFFFFu;
  constexpr std::uint32_t kNan = format.has_minus_zero ? 0x7F : 0x80;
  constexpr std::uint32_t kNanMask = format.has_minus_zero ? 0x7F : 0xFF;
  const float smallest = __builtin_bit_cast(float, kRebias + (1u << 23));
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t code = raw[i];
    const std::uint32_t size = (code & 0x7F) << (23 - format.mantissa);
    const std::uint32_t normal = size + kRebias + (size >= kInfinity ? kRebias : 0);
    const float subnormal = __builtin_bit_cast(float, size + kRebias + (1u << 23)) - smallest;
    std::uint32_t bits = size < (1u << 23) ? __builtin_bit_cast(std::uint32_t, subnormal) : normal;
    if constexpr (!format.has_infinity) bits = (code & kNanMask) == kNan ? 0x7FC00000u : bits;
    bits |= (code & 0x80) << 24;
    numbers[i] = static_cast<double>(__builtin_bit_cast(float, bits));
  }
}

#if SAMEBITS_STATS_WIDTH == 64
// 32 codes at a time: each of four pieces of the table is looked up, and two bits choose.
inline __m512i bfloat16_of(__m512i codes, const __m512i* table) {
  __m512i found[4];
  for (std::size_t i = 0; i < 4; ++i)
    found[i] = _mm512_permutex2var_epi16(table[2 * i], codes, table[2 * i + 1]);
  const __mmask32 second = _mm512_test_epi16_mask(codes, _mm512_set1_epi16(64));
  const __mmask32 upper = _mm512_test_epi16_mask(codes, _mm512_set1_epi16(128));
  return _mm512_mask_blend_epi16(upper, _mm512_mask_blend_epi16(second, found[0], found[1]),
                                 _mm512_mask_blend_epi16(second, found[2], found[3]));
}

inline void widen_codes(const unsigned char* raw, std::size_t n, const CodeTable& table,
                        double* numbers) {
  constexpr std::size_t kPart = 256;
  alignas(64) unsigned char bfloat16[2 * kPart];
  __m512i pieces[8];
  __builtin_memcpy(pieces, table.bfloat16, sizeof(pieces));
  std::size_t done = 0;
  for (; done + kPart <= n; done += kPart) {
    for (std::size_t i = 0; i < kPart; i += 32) {
      __m256i codes;
      __builtin_memcpy(&codes, raw + done + i, sizeof(codes));
      const __m512i found = bfloat16_of(_mm512_cvtepu8_epi16(codes), pieces);
      __builtin_memcpy(bfloat16 + 2 * i, &found, sizeof(found));
    }
    widen_bfloat16(bfloat16, kPart, numbers + done);
  }
  for (; done < n; ++done) numbers[done] = table.numbers[raw[done]];
}
#else
inline void widen_codes(const unsigned char* raw, std::size_t n, const CodeTable& table,
                        double* numbers) {
  for (std::size_t i = 0; i < n; ++i) numbers[i] = table.numbers[raw[i]];
}
#endif

void widen_loop(Stored stored, const unsigned char* raw, std::size_t n, const CodeTable* table,
                double* numbers) {
  if (SAMEBITS_STATS_WIDTH == 64 && table != nullptr) return widen_codes(raw, n, *table, numbers);
  switch (stored) {
    case Stored::f64: widen_as<double>(raw, n, numbers); break;
    case Stored::f32: widen_as<float>(raw, n, numbers); break;
    case Stored::f16: widen_float16(raw, n, numbers); break;
    case Stored::bf16: widen_bfloat16(raw, n, numbers); break;
    case Stored::i64: widen_as<std::int64_t>(raw, n, numbers); break;
    case Stored::u64: widen_as<std::uint64_t>(raw, n, numbers); break;
    case Stored::i32: widen_as<std::int32_t>(raw, n, numbers); break;
    case Stored::u32: widen_as<std::uint32_t>(raw, n, numbers); break;
    case Stored::i16: widen_as<std::int16_t>(raw, n, numbers); break;
    case Stored::u16: widen_as<std::uint16_t>(raw, n, numbers); break;
    case Stored::e4m3fn: widen_float8<Float8{3, 7, false, true}>(raw, n, numbers); break;
    case Stored::e4m3fnuz: widen_float8<Float8{3, 8, false, false}>(raw, n, numbers); break;
    case Stored::e5m2: widen_float8<Float8{2, 15, true, true}>(raw, n, numbers); break;
    case Stored::e5m2fnuz: widen_float8<Float8{2, 16, false, false}>(raw, n, numbers); break;
    case Stored::coded: widen_codes(raw, n, *table, numbers); break;
  }
}

}  // namespace
}  // namespace samebits
