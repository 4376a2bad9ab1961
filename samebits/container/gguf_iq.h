// The blocks of ggml's IQ types, whose elements are entries of fixed grids: 256 elements each.
//
// Source: gguf 0.19.0 (quants.py), whose dequantize_blocks() is followed to the bit. All products
// here are exact in float32.
#pragma once

#include <cstdint>

namespace samebits {

void read_iq2_xxs(const std::uint8_t* block, float* values);
void read_iq2_xs(const std::uint8_t* block, float* values);
void read_iq2_s(const std::uint8_t* block, float* values);
void read_iq3_xxs(const std::uint8_t* block, float* values);
void read_iq3_s(const std::uint8_t* block, float* values);
void read_iq1_s(const std::uint8_t* block, float* values);
void read_iq1_m(const std::uint8_t* block, float* values);

}  // namespace samebits
