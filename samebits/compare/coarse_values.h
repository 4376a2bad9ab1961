// Whether one tensor holds another's values, rounded to fewer bits, to decimals, to one type and
// then to another, or to the levels of a quantization whose codes were written back as floats; or
// whether both hold one model's values, rounded to two types.
//
// Method: a grid is guessed from the coarse side's first elements, and then every element has to
// lie on it, and be the nearest point of it to the other side's. Sources: bitsandbytes 0.50.2
// (functional.py) for the levels of nf4 and fp4; llama.cpp's gguf-py (quants.py), torchao 0.18 and
// torch.ao.quantization for steps that are the largest size over 127, 128, 7 or 8, or the range
// over 255 or 15. Does not find: steps for columns, codes that are not the nearest (GPTQ, AWQ).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "samebits/tensor/tensor.h"

namespace samebits {

struct CoarseGrid {
  enum class Kind : std::uint8_t {
    mantissa,  // `number` bits are kept after the leading one
    decimals,  // `number` digits after the point
    levels,    // a few levels for all elements that share a scale
    twice,     // rounded to `by_way_of`, and then to the type in which the coarse side is stored
    apart,     // float16 on one side and bfloat16 on the other, of one number each
  };
  Kind kind = Kind::mantissa;
  unsigned number = 0;
  bool cut = false;  // mantissa: the other bits are set to 0, not rounded
  DType by_way_of = DType::float32;
  std::string levels;       // "8-bit levels", "nf4 levels"
  std::uint64_t block = 0;  // levels: neighbours that share a scale; 0: the whole tensor, or
  bool by_row = false;      // a slice of dimension 0
  bool operator==(const CoarseGrid&) const = default;
};

/// "4 decimals", "10 bits after the leading one", "8-bit levels, a scale for each row".
std::string grid_text(const CoarseGrid& grid);

/// The grid on which every number of `coarse` lies, where each is the nearest to that of `fine`.
/// Nothing where there is none, where a number is not finite, for fewer than 32 elements or 8
/// values, unlike shapes, or types that are no floats of 16 bits or more. Levels are those of
/// matrices: no library quantizes a bias or a norm so. Reads a few thousand elements where the
/// answer is no. Memory: two blocks of 512 KiB.
std::optional<CoarseGrid> coarse_grid(const TensorView& fine, const TensorView& coarse);

/// Whether a tensor that is too small or too plain to show a grid by itself lies on one that others
/// show. False for levels.
bool follows_grid(const TensorView& fine, const TensorView& coarse, const CoarseGrid& grid);

}  // namespace samebits
