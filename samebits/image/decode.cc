#include "samebits/image/decode.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "samebits/base/exceptions.h"
#include "samebits/base/limits.h"
#include "samebits/image/codecs.h"
#include "samebits/image/orientation.h"

namespace samebits {
namespace {

constexpr std::array<std::uint8_t, 8> kPng = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};

bool begins_with(Bytes bytes, std::span<const std::uint8_t> magic) {
  return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin());
}

Result<StoredImage> decode_stored(Bytes bytes, const std::string& file) {
  constexpr std::array<std::uint8_t, 3> kJpeg = {0xFF, 0xD8, 0xFF};
  if (begins_with(bytes, kJpeg)) return decode_jpeg(bytes, file);
  if (begins_with(bytes, kPng)) return decode_png(bytes, file);
  return fail({.code = ErrorCode::unsupported,
               .what = "this is no picture that can be read",
               .file = file,
               .expected = "JPEG or PNG",
               .found = bytes.empty() ? "an empty file" : "other first bytes"});
}

}  // namespace

Result<void> check_image_size(std::size_t height, std::size_t width, std::size_t file_bytes,
                              const std::string& file) {
  const std::uint64_t most =
      file_bytes >= kLimits.image_pixels
          ? kLimits.image_pixels
          : std::min(kLimits.image_pixels,
                     kLimits.image_free_pixels + kLimits.image_pixels_per_byte * file_bytes);
  if (height > 0 && width > 0 && std::max(height, width) <= kLimits.decoded_side &&
      width <= most / height)
    return {};
  return fail(
      {.code = ErrorCode::limit,
       .what = "the picture is too large",
       .file = file,
       .expected = fmt::format("at most {} pixels in a file of {} bytes, of a side at most {}",
                               most, file_bytes, kLimits.decoded_side),
       .found = fmt::format("{} x {}", width, height),
       .hint = "Shrink it before, or cut it into parts"});
}

Result<RgbImage> decode_image(Bytes bytes, const std::string& file) {
  return caught(file, [&]() -> Result<RgbImage> {
    SAMEBITS_TRY(StoredImage stored, decode_stored(bytes, file));
    return upright(std::move(stored.image), stored.orientation);
  });
}

}  // namespace samebits
