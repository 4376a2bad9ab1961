// JPEG and PNG files to pixels: the same bytes as Pillow's Image.open(), ImageOps.exif_transpose()
// and convert("RGB"), which is how transformers loads a picture.
//
// Decoders: libjpeg-turbo and libpng. Not covered, and refused by name: CMYK JPEG, 16-bit gray PNG,
// other formats.
#pragma once

#include <string>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"
#include "samebits/image/rgb_image.h"

namespace samebits {

/// What it is is told by its first bytes; `file` is for messages. Errors: unsupported, malformed,
/// truncated, memory, and limit for a picture beyond kLimits.image_pixels, decoded_side or
/// image_scans.
Result<RgbImage> decode_image(Bytes bytes, const std::string& file);

}  // namespace samebits
