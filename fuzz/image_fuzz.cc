// Any bytes as a picture: decode it, turn it upright, and preprocess what was decoded.
#include <cstddef>
#include <cstdint>

#include "samebits/image/decode.h"
#include "samebits/image/processor.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace samebits;
  Result<RgbImage> image = decode_image(Bytes(data, size), "fuzz");
  if (!image) return 0;
  SAMEBITS_CHECK(image->height > 0 && image->width > 0);
  SAMEBITS_CHECK(image->pixels.size() == image->height * image->width * 3);
  if (image->pixels.size() > 1 << 20) return 0;  // so that runs stay short
  ImageProcessor processor{.resize = ImageProcessor::Size{.shortest_edge = 8},
                           .crop = ImageProcessor::Size{.height = 7, .width = 9}};
  const auto values = process_image(processor, *std::move(image));
  if (values) SAMEBITS_CHECK(values->values.size() == 3 * 7 * 9);
  return 0;
}
