// The two decoders, each with the picture as it is stored and what turns it upright.
#pragma once

#include <string>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"
#include "samebits/image/rgb_image.h"

namespace samebits {

struct StoredImage {
  RgbImage image;
  int orientation = 1;  // EXIF's tag 0x0112, 1 to 8
};

Result<StoredImage> decode_jpeg(Bytes bytes, const std::string& file);
Result<StoredImage> decode_png(Bytes bytes, const std::string& file);

/// Errors where a picture of this size is not decoded from a file of so many bytes: limit.
Result<void> check_image_size(std::size_t height, std::size_t width, std::size_t file_bytes,
                              const std::string& file);

}  // namespace samebits
