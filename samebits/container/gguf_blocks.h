// The types of ggml's tensors: plain ones, and blocks of narrow integers with their scales.
//
// Source: gguf 0.19.0 (quants.py, constants.py), whose dequantize() is followed to the bit: each
// product and sum is rounded to float32, nothing is fused.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "samebits/tensor/dtype.h"

namespace samebits {

struct GgufType {
  std::uint32_t number;
  std::string_view name;          // "Q4_K"
  std::uint32_t elements, bytes;  // of a block; 1 and the item's size of a plain type
  std::optional<DType> plain;     // what its bytes are without further ado
  void (*dequantize)(const std::uint8_t* block, float* values);  // null: has no reader
};

/// Nothing for a number that gguf 0.19.0 does not know.
const GgufType* find_gguf_type(std::uint32_t number);

}  // namespace samebits
