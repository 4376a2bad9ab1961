// The grids of ggml's IQ types: the only combinations of values that a group of 8 elements (4 of
// the IQ3 types) can have. Part of the format's definition.
//
// Source: gguf 0.19.0 (quants.py, grid_hex). Element j of a group stands in bits 2 j and 2 j + 1 of
// its entry, of the IQ3 types in bits 4 j to 4 j + 2. What the digits mean is in gguf_iq.cc.
#pragma once

#include <array>
#include <cstdint>

namespace samebits {

extern const std::array<std::uint16_t, 256> kGridIq2Xxs;
extern const std::array<std::uint16_t, 512> kGridIq2Xs;
extern const std::array<std::uint16_t, 1024> kGridIq2S;
extern const std::array<std::uint16_t, 256> kGridIq3Xxs;
extern const std::array<std::uint16_t, 512> kGridIq3S;
extern const std::array<std::uint16_t, 2048> kGridIq1;  // of IQ1_S and IQ1_M

}  // namespace samebits
