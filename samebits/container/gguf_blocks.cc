#include "samebits/container/gguf_blocks.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>

#include "samebits/container/gguf_iq.h"

namespace samebits {
namespace {

using std::uint8_t;
constexpr int kSuper = 256;  // elements of a block of the K types

float half_at(const uint8_t* p) { return static_cast<float>(element_as_double(DType::float16, p)); }

/// Element `i` of nibbles of which the low halves of `half` bytes come first, then the high ones.
int nibble(const uint8_t* q, int i, int half) {
  const int group = i / (2 * half), within = i % (2 * half);
  return (q[group * half + within % half] >> (within < half ? 0 : 4)) & 0x0f;
}

/// Element `i` of pairs of bits: 32 bytes hold 128 elements, lowest bits first.
int bit_pair(const uint8_t* q, int i) {
  return (q[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2)) & 3;
}

/// Element `i` of single bits: bit b of byte j is element 32 b + j.
int bit_of(const uint8_t* q, int i) { return (q[i % 32] >> (i / 32)) & 1; }

void read_q4_0(const uint8_t* b, float* y) {
  const float d = half_at(b);
  for (int i = 0; i < 32; ++i) y[i] = d * static_cast<float>(nibble(b + 2, i, 16) - 8);
}

void read_q4_1(const uint8_t* b, float* y) {
  const float d = half_at(b), m = half_at(b + 2);
  for (int i = 0; i < 32; ++i) y[i] = d * static_cast<float>(nibble(b + 4, i, 16)) + m;
}

/// The fifth bit of element `i` stands in bit i of four bytes.
int five_bits(const uint8_t* high, const uint8_t* low, int i) {
  return nibble(low, i, 16) | (high[i / 8] >> (i % 8) & 1) << 4;
}

void read_q5_0(const uint8_t* b, float* y) {
  const float d = half_at(b);
  for (int i = 0; i < 32; ++i) y[i] = d * static_cast<float>(five_bits(b + 2, b + 6, i) - 16);
}

void read_q5_1(const uint8_t* b, float* y) {
  const float d = half_at(b), m = half_at(b + 2);
  for (int i = 0; i < 32; ++i) y[i] = d * static_cast<float>(five_bits(b + 4, b + 8, i)) + m;
}

void read_q8_0(const uint8_t* b, float* y) {
  const float d = half_at(b);
  for (int i = 0; i < 32; ++i) y[i] = static_cast<float>(static_cast<std::int8_t>(b[2 + i])) * d;
}

void read_q2_k(const uint8_t* b, float* y) {
  const uint8_t* q = b + 16;
  const float d = half_at(b + 80), least = half_at(b + 82);
  for (int i = 0; i < kSuper; ++i) {
    const uint8_t scale = b[i / 16];
    const float step = d * static_cast<float>(scale & 0x0f);
    y[i] = step * static_cast<float>(bit_pair(q, i)) - least * static_cast<float>(scale >> 4);
  }
}

void read_q3_k(const uint8_t* b, float* y) {
  const uint8_t *high = b, *q = b + 32, *scales = b + 96;
  const float d = half_at(b + 108);
  for (int i = 0; i < kSuper; ++i) {
    const int s = i / 16;
    const int low = s < 8 ? scales[s] & 0x0f : scales[s - 8] >> 4;
    const int scale = (low | (scales[8 + s % 4] >> (s / 4 * 2) & 3) << 4) - 32;
    const int value = bit_pair(q, i) - (bit_of(high, i) != 0 ? 0 : 4);
    y[i] = d * static_cast<float>(scale) * static_cast<float>(value);
  }
}

struct ScaleAndLeast {
  float scale, least;
};

/// Six bits each of the scale and the minimum of sub-block `i`, packed in 12 bytes.
ScaleAndLeast packed_scale(const uint8_t* s, int i) {
  if (i < 4) return {static_cast<float>(s[i] & 0x3f), static_cast<float>(s[i + 4] & 0x3f)};
  const uint8_t both = s[i + 4];
  return {static_cast<float>((both & 0x0f) | (s[i - 4] >> 2 & 0x30)),
          static_cast<float>(both >> 4 | (s[i] >> 2 & 0x30))};
}

void read_q4_k(const uint8_t* b, float* y) {
  const float d = half_at(b), least = half_at(b + 2);
  for (int i = 0; i < kSuper; ++i) {
    const ScaleAndLeast s = packed_scale(b + 4, i / 32);
    y[i] = d * s.scale * static_cast<float>(nibble(b + 16, i, 32)) - least * s.least;
  }
}

void read_q5_k(const uint8_t* b, float* y) {
  const float d = half_at(b), least = half_at(b + 2);
  for (int i = 0; i < kSuper; ++i) {
    const ScaleAndLeast s = packed_scale(b + 4, i / 32);
    const int value = nibble(b + 48, i, 32) | bit_of(b + 16, i) << 4;
    y[i] = d * s.scale * static_cast<float>(value) - least * s.least;
  }
}

void read_q6_k(const uint8_t* b, float* y) {
  const float d = half_at(b + 208);
  for (int i = 0; i < kSuper; ++i) {
    const float scale = d * static_cast<float>(static_cast<std::int8_t>(b[192 + i / 16]));
    const int value = (nibble(b, i, 64) | bit_pair(b + 128, i) << 4) - 32;
    y[i] = scale * static_cast<float>(value);
  }
}

constexpr std::array<int, 16> kUneven = {-127, -104, -83, -65, -49, -35, -22, -10,
                                         1,    13,   25,  38,  53,  69,  89,  113};

void read_iq4_nl(const uint8_t* b, float* y) {
  const float d = half_at(b);
  for (int i = 0; i < 32; ++i)
    y[i] = d * static_cast<float>(kUneven[static_cast<std::size_t>(nibble(b + 2, i, 16))]);
}

void read_iq4_xs(const uint8_t* b, float* y) {
  const float d = half_at(b);
  const unsigned high = b[2] | b[3] << 8;
  for (int i = 0; i < kSuper; ++i) {
    const int s = i / 32;
    const int low = b[4 + s / 2] >> (s % 2 * 4) & 0x0f;
    const int scale = (low | static_cast<int>(high >> (2 * s) & 3) << 4) - 32;
    const auto place = static_cast<std::size_t>(nibble(b + 8, i, 16));
    y[i] = d * static_cast<float>(scale) * static_cast<float>(kUneven[place]);
  }
}

/// Five digits of base three in a byte, as a fraction of 243.
void read_tq1_0(const uint8_t* b, float* y) {
  constexpr std::array<int, 5> kPowers = {1, 3, 9, 27, 81};
  const float d = half_at(b + 52);
  const auto digits = [&](int first, int bytes, int count, int at) {
    for (int i = 0; i < bytes * count; ++i) {
      const int shifted =
          b[first + i % bytes] * kPowers[static_cast<std::size_t>(i / bytes)] & 0xff;
      y[at + i] = d * static_cast<float>((shifted * 3 >> 8) - 1);
    }
  };
  digits(0, 32, 5, 0);
  digits(32, 16, 5, 160);
  digits(48, 4, 4, 240);
}

void read_tq2_0(const uint8_t* b, float* y) {
  const float d = half_at(b + 64);
  for (int i = 0; i < kSuper; ++i) y[i] = d * static_cast<float>(bit_pair(b, i) - 1);
}

/// The values of four-bit floats (e2m1), doubled.
constexpr std::array<int, 16> kFourBitFloats = {0, 1,  2,  3,  4,  6,  8,  12,
                                                0, -1, -2, -3, -4, -6, -8, -12};

float four_bits(const uint8_t* q, int i, int half) {
  return static_cast<float>(kFourBitFloats[static_cast<std::size_t>(nibble(q, i, half))]);
}

void read_mxfp4(const uint8_t* b, float* y) {
  const std::uint32_t e = b[0];
  const auto d = std::bit_cast<float>(e < 2 ? 0x00200000u << e : (e - 1) << 23);
  for (int i = 0; i < 32; ++i) y[i] = d * four_bits(b + 1, i, 16);
}

/// Half of an unsigned float of 4 exponent and 3 mantissa bits; its largest code is no number.
float half_of_e4m3(unsigned code) {
  if (code == 0 || code == 0x7f) return 0;
  const unsigned exponent = code >> 3 & 0x0f;
  const auto mantissa = static_cast<float>(code & 7);
  const float unit = std::bit_cast<float>((exponent == 0 ? 127U - 9 : exponent + 127 - 10) << 23);
  return (exponent == 0 ? mantissa : mantissa + 8) * unit * 0.5F;
}

void read_nvfp4(const uint8_t* b, float* y) {
  for (int s = 0; s < 4; ++s)
    for (int i = 0; i < 16; ++i)
      y[16 * s + i] = half_of_e4m3(b[s]) * four_bits(b + 4 + std::ptrdiff_t{8} * s, i, 8);
}

constexpr auto kGgufTypes = std::to_array<GgufType>({
    {0, "F32", 1, 4, DType::float32, nullptr},
    {1, "F16", 1, 2, DType::float16, nullptr},
    {2, "Q4_0", 32, 18, std::nullopt, read_q4_0},
    {3, "Q4_1", 32, 20, std::nullopt, read_q4_1},
    {6, "Q5_0", 32, 22, std::nullopt, read_q5_0},
    {7, "Q5_1", 32, 24, std::nullopt, read_q5_1},
    {8, "Q8_0", 32, 34, std::nullopt, read_q8_0},
    {9, "Q8_1", 32, 40, std::nullopt, nullptr},
    {10, "Q2_K", 256, 84, std::nullopt, read_q2_k},
    {11, "Q3_K", 256, 110, std::nullopt, read_q3_k},
    {12, "Q4_K", 256, 144, std::nullopt, read_q4_k},
    {13, "Q5_K", 256, 176, std::nullopt, read_q5_k},
    {14, "Q6_K", 256, 210, std::nullopt, read_q6_k},
    {15, "Q8_K", 256, 292, std::nullopt, nullptr},
    {16, "IQ2_XXS", 256, 66, std::nullopt, read_iq2_xxs},
    {17, "IQ2_XS", 256, 74, std::nullopt, read_iq2_xs},
    {18, "IQ3_XXS", 256, 98, std::nullopt, read_iq3_xxs},
    {19, "IQ1_S", 256, 50, std::nullopt, read_iq1_s},
    {20, "IQ4_NL", 32, 18, std::nullopt, read_iq4_nl},
    {21, "IQ3_S", 256, 110, std::nullopt, read_iq3_s},
    {22, "IQ2_S", 256, 82, std::nullopt, read_iq2_s},
    {23, "IQ4_XS", 256, 136, std::nullopt, read_iq4_xs},
    {24, "I8", 1, 1, DType::int8, nullptr},
    {25, "I16", 1, 2, DType::int16, nullptr},
    {26, "I32", 1, 4, DType::int32, nullptr},
    {27, "I64", 1, 8, DType::int64, nullptr},
    {28, "F64", 1, 8, DType::float64, nullptr},
    {29, "IQ1_M", 256, 56, std::nullopt, read_iq1_m},
    {30, "BF16", 1, 2, DType::bfloat16, nullptr},
    {34, "TQ1_0", 256, 54, std::nullopt, read_tq1_0},
    {35, "TQ2_0", 256, 66, std::nullopt, read_tq2_0},
    {39, "MXFP4", 32, 17, std::nullopt, read_mxfp4},
    {40, "NVFP4", 64, 36, std::nullopt, read_nvfp4},
    {41, "Q1_0", 128, 18, std::nullopt, nullptr},
});

}  // namespace

const GgufType* find_gguf_type(std::uint32_t number) {
  const auto found = std::ranges::find(kGgufTypes, number, &GgufType::number);
  return found == kGgufTypes.end() ? nullptr : &*found;
}

}  // namespace samebits
