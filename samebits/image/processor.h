// From a picture to a model's input, as transformers' image processors on Pillow and numpy compute
// it (4.57.6: ViTImageProcessor and so on; 5.24.0: ViTImageProcessorPil and so on): equal bits.
//
// The processors on torchvision give slightly other numbers, and are not computed. transformers
// 4.57.6 takes them for a class that ends in Fast, and 5.24.0 for every name, in both versions
// where torchvision is installed.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "samebits/base/json.h"
#include "samebits/image/resize.h"

namespace samebits {

struct ImageProcessor {
  struct Size {
    std::size_t height = 0, width = 0;
    std::size_t shortest_edge = 0;  // instead: the other follows the picture
  };
  std::optional<Size> resize;
  Filter filter = Filter::bilinear;
  PassOrder order = PassOrder::pillow13;
  std::optional<Size> crop;  // about the centre; zeros where the picture is smaller
  std::optional<double> rescale;
  bool normalize = false;
  std::array<double, 3> mean{}, deviation{};
  std::string fast_class;  // the config's, where it ends in Fast: torchvision's numbers were meant
};

/// What a preprocessor_config.json says. Errors: unsupported for another processor or a value that
/// is not covered; usage for a field that is absent, malformed for one that cannot be.
Result<ImageProcessor> image_processor(const Json& config, const std::string& file);

struct PixelValues {
  std::size_t height = 0, width = 0;
  std::vector<float> values;     // [3, height, width]
  bool version_matters = false;  // Pillow 12 and 13 resize this picture in another order
};

/// Requires an image with at least one pixel. Errors: unsupported for a height of 1 or 3, which
/// transformers takes for channels; limit.
Result<PixelValues> process_image(const ImageProcessor& processor, RgbImage image);

}  // namespace samebits
