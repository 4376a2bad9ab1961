// Resizing as Pillow does it: the same taps, the same fixed point, the same rounding between the
// two passes.
//
// Source: the arithmetic of Pillow 12.0 and 13.0's Image.resize() for 8-bit channels.
#pragma once

#include <cstdint>

#include "samebits/image/rgb_image.h"

namespace samebits {

/// Numbers as in Pillow and in preprocessor_config.json.
enum class Filter : std::uint8_t {
  nearest = 0,
  lanczos = 1,
  bilinear = 2,
  bicubic = 3,
  box = 4,
  hamming = 5
};

/// Pillow 13 shrinks the height first where it shrinks by more than twice as many pixels as the
/// width, or the width does not shrink; Pillow 12 and before always begin with the width. Pixels
/// can differ by a level, since they are rounded in between.
enum class PassOrder : std::uint8_t { pillow12, pillow13 };

bool height_first(const RgbImage& image, std::size_t height, std::size_t width, PassOrder order);

/// Pixels of the picture between the two passes, which can be far more than either end has: a
/// narrow picture is made wide before it is made low. 0 where there is one pass.
std::uint64_t pixels_between(const RgbImage& image, std::size_t height, std::size_t width,
                             Filter filter, PassOrder order);

/// Requires an image and a target with at least one pixel.
RgbImage resize(const RgbImage& image, std::size_t height, std::size_t width, Filter filter,
                PassOrder order);

}  // namespace samebits
