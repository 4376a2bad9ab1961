// How a camera was held: EXIF's and XMP's orientation, and the picture turned upright.
//
// Source: Exif 2.32, 4.6.4 (tag 0x0112); Pillow's ImageOps.exif_transpose().
#pragma once

#include <optional>
#include <string_view>

#include "samebits/base/bytes.h"
#include "samebits/image/rgb_image.h"

namespace samebits {

/// The orientation in a TIFF header and its first directory (what follows "Exif\0\0" in a JPEG, and
/// what PNG's eXIf chunk holds); nothing where there is none or it is none of 1 to 8.
std::optional<int> exif_orientation(Bytes tiff);
/// tiff:Orientation in an XMP packet.
std::optional<int> xmp_orientation(std::string_view xmp);

RgbImage upright(RgbImage image, int orientation);

}  // namespace samebits
