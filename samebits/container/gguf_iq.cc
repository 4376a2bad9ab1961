#include "samebits/container/gguf_iq.h"

#include <array>
#include <bit>
#include <cstddef>

#include "samebits/container/gguf_grids.h"
#include "samebits/tensor/dtype.h"

namespace samebits {
namespace {

constexpr std::size_t kIqGroups = 32;  // of 8 elements, in a block

float iq_half(unsigned low, unsigned high) {
  const std::array<std::uint8_t, 2> bytes = {static_cast<std::uint8_t>(low),
                                             static_cast<std::uint8_t>(high)};
  return static_cast<float>(element_as_double(DType::float16, bytes.data()));
}

unsigned two_bytes(const std::uint8_t* p) { return p[0] | unsigned{p[1]} << 8; }
unsigned four_bytes(const std::uint8_t* p) { return two_bytes(p) | two_bytes(p + 2) << 16; }

/// Seven signs are stored; the eighth makes the number of minus signs even.
unsigned eight_signs(unsigned seven) {
  return seven | static_cast<unsigned>(std::popcount(seven) % 2) << 7;
}

/// 8 elements of the IQ2 types: `signs` has a bit for each.
void write_iq2(unsigned entry, unsigned signs, float scale, float* values) {
  constexpr std::array<float, 4> kDigits = {8, 25, 43, 0};
  for (unsigned j = 0; j < 8; ++j) {
    const float value = scale * kDigits[entry >> 2 * j & 3];
    values[j] = (signs >> j & 1) != 0 ? -value : value;
  }
}

/// 4 elements of the IQ3 types.
void write_iq3(unsigned entry, const std::array<float, 8>& digits, unsigned signs, float scale,
               float* values) {
  for (unsigned j = 0; j < 4; ++j) {
    const float value = scale * digits[entry >> 4 * j & 7];
    values[j] = (signs >> j & 1) != 0 ? -value : value;
  }
}

/// 8 elements of the IQ1 types: -1, 0 or 1, all shifted by one eighth.
void write_iq1(unsigned entry, bool down, float scale, float* values) {
  const float shift = down ? -0.125F : 0.125F;
  for (unsigned j = 0; j < 8; ++j)
    values[j] = scale * (static_cast<float>(entry >> 2 * j & 3) - 1.0F + shift);
}

/// Scale of 16 elements of IQ2_XS and IQ2_S, of which two stand in a byte.
float iq2_scale(float d, const std::uint8_t* scales, std::size_t group) {
  const unsigned four = scales[group / 4] >> (group / 2 % 2 * 4) & 0x0fU;
  return d * (0.5F + static_cast<float>(four)) * 0.25F;
}

}  // namespace

void read_iq2_xxs(const std::uint8_t* block, float* values) {
  const float d = iq_half(block[0], block[1]);
  for (std::size_t g = 0; g < kIqGroups; ++g) {
    const std::uint8_t* sub = block + 2 + g / 4 * 8;
    const unsigned signs = four_bytes(sub + 4);
    const float scale = d * (0.5F + static_cast<float>(signs >> 28)) * 0.25F;
    write_iq2(kGridIq2Xxs[sub[g % 4]], eight_signs(signs >> g % 4 * 7 & 0x7f), scale,
              values + g * 8);
  }
}

void read_iq2_xs(const std::uint8_t* block, float* values) {
  const float d = iq_half(block[0], block[1]);
  for (std::size_t g = 0; g < kIqGroups; ++g) {
    const unsigned q = two_bytes(block + 2 + g * 2);
    write_iq2(kGridIq2Xs[q & 511], eight_signs(q >> 9), iq2_scale(d, block + 66, g),
              values + g * 8);
  }
}

void read_iq2_s(const std::uint8_t* block, float* values) {
  const float d = iq_half(block[0], block[1]);
  for (std::size_t g = 0; g < kIqGroups; ++g) {
    const unsigned high = block[66 + g / 4] >> (g % 4 * 2) & 3U;
    write_iq2(kGridIq2S[block[2 + g] | high << 8], block[34 + g], iq2_scale(d, block + 74, g),
              values + g * 8);
  }
}

void read_iq3_xxs(const std::uint8_t* block, float* values) {
  constexpr std::array<float, 8> kDigits = {4, 12, 20, 28, 36, 44, 52, 62};
  const float d = iq_half(block[0], block[1]);
  for (std::size_t g = 0; g < kIqGroups; ++g) {
    const unsigned packed = four_bytes(block + 66 + g / 4 * 4);
    const float scale = d * (0.5F + static_cast<float>(packed >> 28)) * 0.5F;
    const unsigned signs = eight_signs(packed >> g % 4 * 7 & 0x7f);
    const std::uint8_t* q = block + 2 + g * 2;
    write_iq3(kGridIq3Xxs[q[0]], kDigits, signs, scale, values + g * 8);
    write_iq3(kGridIq3Xxs[q[1]], kDigits, signs >> 4, scale, values + g * 8 + 4);
  }
}

void read_iq3_s(const std::uint8_t* block, float* values) {
  constexpr std::array<float, 8> kDigits = {1, 3, 5, 7, 9, 11, 13, 15};
  const float d = iq_half(block[0], block[1]);
  for (std::size_t q = 0; q < 2 * kIqGroups; ++q) {
    const unsigned high = block[66 + q / 8] >> (q % 8) & 1U;
    const unsigned signs = block[74 + q / 2] >> (q % 2 * 4) & 0x0fU;
    const unsigned four = block[106 + q / 16] >> (q / 8 % 2 * 4) & 0x0fU;
    const float scale = d * static_cast<float>(1 + 2 * four);
    write_iq3(kGridIq3S[block[2 + q] | high << 8], kDigits, signs, scale, values + q * 4);
  }
}

void read_iq1_s(const std::uint8_t* block, float* values) {
  const float d = iq_half(block[0], block[1]);
  for (std::size_t g = 0; g < kIqGroups; ++g) {
    const unsigned high = two_bytes(block + 34 + g / 4 * 2);
    const float scale = d * static_cast<float>(2 * (high >> 12 & 7) + 1);
    const unsigned entry = block[2 + g] | (high >> g % 4 * 3 & 7) << 8;
    write_iq1(kGridIq1[entry], (high & 0x8000) != 0, scale, values + g * 8);
  }
}

void read_iq1_m(const std::uint8_t* block, float* values) {
  const std::uint8_t* scales = block + 48;
  // The block's own scale stands in the highest four bits of each of four numbers.
  const float d = iq_half(scales[1] >> 4 | (scales[3] & 0xf0), scales[5] >> 4 | (scales[7] & 0xf0));
  for (std::size_t g = 0; g < kIqGroups; ++g) {
    const unsigned high = block[32 + g / 2] >> (g % 2 * 4) & 0x0fU;
    const unsigned three = two_bytes(scales + g / 8 * 2) >> (g / 2 % 4 * 3) & 7;
    write_iq1(kGridIq1[block[g] | (high & 7) << 8], (high & 8) != 0,
              d * static_cast<float>(2 * three + 1), values + g * 8);
  }
}

}  // namespace samebits
