#include "samebits/image/processor.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "samebits/base/float_mode.h"
#include "samebits/base/limits.h"

namespace samebits {
namespace {

constexpr std::string_view kClasses[] = {"ViTImageProcessor", "ViTFeatureExtractor",
                                         "DeiTImageProcessor", "DeiTFeatureExtractor",
                                         "BitImageProcessor"};

bool is_known(std::string name) {
  for (const std::string_view ending : {"Fast", "Pil"}) {
    if (name.ends_with(ending)) name.resize(name.size() - ending.size());
  }
  return std::find(std::begin(kClasses), std::end(kClasses), name) != std::end(kClasses);
}

/// Fields of one config, with errors that name them.
class Reader {
 public:
  Reader(const Json& config, const std::string& file) : config_(config), file_(file) {}

  Result<void> check_class() const {
    for (const char* field : {"image_processor_type", "feature_extractor_type"}) {
      if (!config_.contains(field) || !config_[field].is_string()) continue;
      if (is_known(config_[field].get<std::string>())) return {};
      return refused(field);
    }
    return lacking("image_processor_type");
  }

  Result<bool> flag(const char* field) const {
    if (!present(field)) return lacking(field);
    if (!config_[field].is_boolean()) return malformed(field);
    return config_[field].get<bool>();
  }

  bool present(const char* field) const {
    return config_.contains(field) && !config_[field].is_null();
  }

  Result<double> number(const char* field) const {
    if (!present(field)) return lacking(field);
    if (!config_[field].is_number()) return malformed(field);
    return config_[field].get<double>();
  }

  Result<std::array<double, 3>> three(const char* field) const {
    if (!present(field)) return lacking(field);
    const Json& value = config_[field];
    std::array<double, 3> numbers{};
    if (value.is_number()) {
      numbers.fill(value.get<double>());
      return numbers;
    }
    if (!value.is_array() || value.size() != 3) return malformed(field);
    for (std::size_t i = 0; i < 3; ++i) {
      if (!value[i].is_number()) return malformed(field);
      numbers[i] = value[i].get<double>();
    }
    return numbers;
  }

  /// {"height", "width"}, {"shortest_edge"} where it may be, or one number: both sides.
  Result<ImageProcessor::Size> size(const char* field, bool edge) const {
    if (!present(field)) return lacking(field);
    const Json& value = config_[field];
    ImageProcessor::Size size;
    if (value.is_number()) {
      SAMEBITS_TRY(size.height, side(value, field));
      size.width = size.height;
      return size;
    }
    if (!value.is_object()) return malformed(field);
    if (value.size() == 2 && value.contains("height") && value.contains("width")) {
      SAMEBITS_TRY(size.height, side(value["height"], field));
      SAMEBITS_TRY(size.width, side(value["width"], field));
      return size;
    }
    if (!edge || value.size() != 1 || !value.contains("shortest_edge")) return refused(field);
    SAMEBITS_TRY(size.shortest_edge, side(value["shortest_edge"], field));
    return size;
  }

  tl::unexpected<Error> refused(const char* field) const {
    return fail({.code = ErrorCode::unsupported,
                 .what = fmt::format("this {} of an image processor is not covered", field),
                 .file = file_,
                 .found = config_[field].dump().substr(0, 60)});
  }

  tl::unexpected<Error> malformed(const char* field) const {
    return fail({.code = ErrorCode::malformed,
                 .what = std::string("the image processor's field ") + field + " cannot be",
                 .file = file_,
                 .found = config_[field].dump().substr(0, 60)});
  }

 private:
  tl::unexpected<Error> lacking(const char* field) const {
    return fail({.code = ErrorCode::usage,
                 .what = std::string("the image processor's config does not say ") + field,
                 .file = file_});
  }

  Result<std::size_t> side(const Json& value, const char* field) const {
    if (!value.is_number_integer() || value.get<std::int64_t>() < 1 ||
        value.get<std::int64_t>() > 65535)
      return malformed(field);
    return static_cast<std::size_t>(value.get<std::int64_t>());
  }

  const Json& config_;
  const std::string& file_;
};

// Short and long side keep their ratio, the long one rounded down.
ImageProcessor::Size target_of(const ImageProcessor::Size& wanted, const RgbImage& image) {
  if (wanted.shortest_edge == 0) return wanted;
  const std::size_t edge = wanted.shortest_edge;
  const std::size_t shorter = std::min(image.height, image.width);
  const std::size_t longer = std::max(image.height, image.width);
  const auto other =
      static_cast<std::size_t>(static_cast<double>(edge * longer) / static_cast<double>(shorter));
  return image.width <= image.height ? ImageProcessor::Size{other, edge, 0}
                                     : ImageProcessor::Size{edge, other, 0};
}

// Half of the margin, rounded down as Python's // does: towards the lower number.
std::ptrdiff_t half_down(std::ptrdiff_t margin) {
  return margin >= 0 ? margin / 2 : -((-margin + 1) / 2);
}

RgbImage center_crop(const RgbImage& image, std::size_t height, std::size_t width) {
  RgbImage out{height, width, std::vector<std::uint8_t>(height * width * 3)};
  const auto signed_size = [](std::size_t size) { return static_cast<std::ptrdiff_t>(size); };
  const std::ptrdiff_t top = half_down(signed_size(image.height) - signed_size(height));
  const std::ptrdiff_t left = half_down(signed_size(image.width) - signed_size(width));
  for (std::size_t y = 0; y < height; ++y) {
    const std::ptrdiff_t row = signed_size(y) + top;
    if (row < 0 || row >= signed_size(image.height)) continue;
    for (std::size_t x = 0; x < width; ++x) {
      const std::ptrdiff_t column = signed_size(x) + left;
      if (column < 0 || column >= signed_size(image.width)) continue;
      const std::size_t from =
          (static_cast<std::size_t>(row) * image.width + static_cast<std::size_t>(column)) * 3;
      std::copy_n(image.pixels.data() + from, 3, out.pixels.data() + (y * width + x) * 3);
    }
  }
  return out;
}

}  // namespace

Result<ImageProcessor> image_processor(const Json& config, const std::string& file) {
  if (!config.is_object()) {
    return fail({.code = ErrorCode::usage,
                 .what = "there is no config of an image processor",
                 .file = file,
                 .hint = "Pictures need the model's preprocessor_config.json"});
  }
  const Reader reader(config, file);
  SAMEBITS_TRY_VOID(reader.check_class());
  ImageProcessor processor;
  SAMEBITS_TRY(const bool resized, reader.flag("do_resize"));
  if (resized) {
    SAMEBITS_TRY(processor.resize, reader.size("size", true));
    SAMEBITS_TRY(const double filter, reader.number("resample"));
    if (filter < 0 || filter > 5 || filter != std::floor(filter))
      return reader.malformed("resample");
    processor.filter = static_cast<Filter>(static_cast<int>(filter));
  }
  if (reader.present("do_center_crop")) {
    SAMEBITS_TRY(const bool cropped, reader.flag("do_center_crop"));
    if (cropped) {
      SAMEBITS_TRY(processor.crop, reader.size("crop_size", false));
    }
  }
  SAMEBITS_TRY(const bool rescaled, reader.flag("do_rescale"));
  if (rescaled) {
    SAMEBITS_TRY(processor.rescale, reader.number("rescale_factor"));
  }
  SAMEBITS_TRY(processor.normalize, reader.flag("do_normalize"));
  if (processor.normalize) {
    SAMEBITS_TRY(processor.mean, reader.three("image_mean"));
    SAMEBITS_TRY(processor.deviation, reader.three("image_std"));
  }
  if (reader.present("do_pad")) {
    SAMEBITS_TRY(const bool padded, reader.flag("do_pad"));
    if (padded) return reader.refused("do_pad");
  }
  return processor;
}

Result<PixelValues> process_image(const ImageProcessor& processor, RgbImage image) {
  const FloatMode contract;
  if (image.height == 1 || image.height == 3) {
    return fail({.code = ErrorCode::unsupported,
                 .what = "transformers takes the rows of this picture for its channels",
                 .found = fmt::format("{} x {}", image.width, image.height)});
  }
  bool version_matters = false;
  if (processor.resize) {
    const ImageProcessor::Size size = target_of(*processor.resize, image);
    if (size.height == 0 || size.width == 0 || size.width > kLimits.image_pixels / size.height) {
      return fail({.code = ErrorCode::limit,
                   .what = "the picture cannot be resized",
                   .found = fmt::format("{} x {}", size.width, size.height)});
    }
    version_matters = processor.filter != Filter::nearest && size.width != image.width &&
                      height_first(image, size.height, size.width, PassOrder::pillow13);
    image = resize(image, size.height, size.width, processor.filter, processor.order);
  }
  if (processor.crop) image = center_crop(image, processor.crop->height, processor.crop->width);
  const std::size_t area = image.height * image.width;
  PixelValues out{image.height, image.width, std::vector<float>(3 * area), version_matters};
  for (std::size_t channel = 0; channel < 3; ++channel) {
    const auto mean = static_cast<float>(processor.mean[channel]);
    const auto deviation = static_cast<float>(processor.deviation[channel]);
    for (std::size_t i = 0; i < area; ++i) {
      const double pixel = image.pixels[3 * i + channel];
      // As numpy: the product in double, the rest in float.
      auto value = static_cast<float>(processor.rescale ? pixel * *processor.rescale : pixel);
      if (processor.normalize) value = (value - mean) / deviation;
      out.values[channel * area + i] = value;
    }
  }
  return out;
}

}  // namespace samebits
