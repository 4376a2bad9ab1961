#include "samebits/image/orientation.h"

#include <algorithm>

namespace samebits {
namespace {

std::optional<int> usable(std::uint32_t value) {
  return value >= 1 && value <= 8 ? std::optional(static_cast<int>(value)) : std::nullopt;
}

/// Numbers of either byte order.
class Tiff {
 public:
  explicit Tiff(Bytes bytes) : bytes_(bytes), big_(bytes.size() > 1 && bytes[0] == 'M') {}

  std::optional<std::uint32_t> number(std::uint64_t at, std::size_t size) const {
    if (at > bytes_.size() || bytes_.size() - at < size) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value |= static_cast<std::uint32_t>(bytes_[at + i]) << 8 * (big_ ? size - 1 - i : i);
    return value;
  }

 private:
  Bytes bytes_;
  bool big_;
};

}  // namespace

std::optional<int> exif_orientation(Bytes bytes) {
  if (bytes.size() < 8 || bytes[0] != bytes[1] || (bytes[0] != 'M' && bytes[0] != 'I'))
    return std::nullopt;
  const Tiff tiff(bytes);
  const auto directory = tiff.number(4, 4);
  if (!directory) return std::nullopt;
  const auto count = tiff.number(*directory, 2);
  for (std::uint64_t i = 0; count && i < *count; ++i) {
    const std::uint64_t entry = std::uint64_t{*directory} + 2 + 12 * i;
    constexpr std::uint32_t kOrientation = 0x0112;
    constexpr std::uint32_t kShort = 3;
    if (tiff.number(entry, 2) != kOrientation) continue;
    if (tiff.number(entry + 2, 2) != kShort) return std::nullopt;
    const auto value = tiff.number(entry + 8, 2);
    return value ? usable(*value) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<int> xmp_orientation(std::string_view xmp) {
  constexpr std::string_view kTag = "tiff:Orientation";
  for (std::size_t at = xmp.find(kTag); at != std::string_view::npos; at = xmp.find(kTag, at + 1)) {
    std::string_view rest = xmp.substr(at + kTag.size());
    if (rest.starts_with("=\"")) {
      rest.remove_prefix(2);
    } else if (rest.starts_with(">")) {
      rest.remove_prefix(1);
    } else {
      continue;
    }
    if (!rest.empty() && rest[0] >= '0' && rest[0] <= '9')
      return usable(static_cast<std::uint32_t>(rest[0] - '0'));
  }
  return std::nullopt;
}

RgbImage upright(RgbImage image, int orientation) {
  if (orientation == 1) return image;
  const bool turned = orientation >= 5;  // rows become columns
  RgbImage out{turned ? image.width : image.height, turned ? image.height : image.width, {}};
  out.pixels.resize(image.pixels.size());
  // From which end each axis of the stored picture is read.
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_below =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  for (std::size_t y = 0; y < out.height; ++y) {
    for (std::size_t x = 0; x < out.width; ++x) {
      const std::size_t row = turned ? x : y;
      const std::size_t column = turned ? y : x;
      const std::size_t from_y = from_below ? image.height - 1 - row : row;
      const std::size_t from_x = from_right ? image.width - 1 - column : column;
      std::copy_n(image.pixels.data() + (from_y * image.width + from_x) * 3, 3,
                  out.pixels.data() + (y * out.width + x) * 3);
    }
  }
  return out;
}

}  // namespace samebits
