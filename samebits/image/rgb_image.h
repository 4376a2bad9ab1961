// A decoded picture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace samebits {

/// Eight bits a channel, row-major: pixels[(y * width + x) * 3 + channel], red, green, blue.
struct RgbImage {
  std::size_t height = 0, width = 0;
  std::vector<std::uint8_t> pixels;
};

}  // namespace samebits
