// Pictures for image_test.py: reads lines "PICTURE CONFIG|- OUT 12|13" (of Pillow) from standard
// input and writes the pixels (with "-": uint8 [height, width, 3]) or the processor's values
// (float32) to OUT. Prints HEIGHT WIDTH, or the error, for each.
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "samebits/image/decode.h"
#include "samebits/image/processor.h"

namespace {

std::vector<std::uint8_t> bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write(const std::string& path, const void* data, std::size_t size) {
  std::ofstream(path, std::ios::binary)
      .write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
}

samebits::Result<std::string> answer(const std::string& picture, const std::string& config,
                                     const std::string& out, const std::string& pillow) {
  const auto bytes = bytes_of(picture);
  SAMEBITS_TRY(samebits::RgbImage image, samebits::decode_image(bytes, picture));
  if (config == "-") {
    write(out, image.pixels.data(), image.pixels.size());
    return std::to_string(image.height) + " " + std::to_string(image.width);
  }
  const auto text = bytes_of(config);
  SAMEBITS_TRY(const samebits::Json json, samebits::parse_json(text, config));
  SAMEBITS_TRY(samebits::ImageProcessor processor, samebits::image_processor(json, config));
  if (pillow == "12") processor.order = samebits::PassOrder::pillow12;
  SAMEBITS_TRY(const samebits::PixelValues values,
               samebits::process_image(processor, std::move(image)));
  write(out, values.values.data(), values.values.size() * sizeof(float));
  return std::to_string(values.height) + " " + std::to_string(values.width);
}

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string picture, config, out, pillow;
    words >> picture >> config >> out >> pillow;
    const auto found = answer(picture, config, out, pillow);
    std::cout << (found ? *found : "error: " + samebits::to_string(found.error())) << "\n";
  }
  return 0;
}
