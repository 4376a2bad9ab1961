#include "samebits/image/processor.h"

#include <algorithm>
#include <initializer_list>

#include <fmt/format.h>

#include "samebits/base/float_mode.h"
#include "samebits/base/limits.h"
#include "samebits/family/field_ranges.h"

namespace samebits {
namespace {

/// CLIP's processor resizes alike, but no model of the family comes with it.
bool is_covered(const std::string& name) {
  return is_known_processor(name) && !name.starts_with("CLIP");
}

/// Fields of one config, with errors that name them.
class Reader {
 public:
  Reader(const Json& config, const std::string& file) : config_(config), file_(file) {}

  Result<void> check_class() const {
    for (const char* field : {"image_processor_type", "feature_extractor_type"}) {
      if (!config_.contains(field) || !config_[field].is_string()) continue;
      if (is_covered(config_[field].get<std::string>())) return {};
      return refused(field);
    }
    return fail(lacking("image_processor_type"));
  }

  /// "ViTImageProcessorFast"; "" of a class of another ending.
  std::string fast_class() const {
    const auto found = config_.find("image_processor_type");
    if (found == config_.end() || !found->is_string()) return "";
    const auto& name = found->get_ref<const std::string&>();
    return name.ends_with("Fast") ? name : "";
  }

  /// The value of a field that is there. Errors: usage where it is not.
  Result<const Json*> given(const char* field) const {
    Result<const Json*> value = checked_field(FieldOf::processor, config_, field);
    if (!value) return fail(in_file(std::move(value).error()));
    if (*value == nullptr) return fail(lacking(field));
    return *value;
  }

  Result<bool> flag(const char* field) const {
    SAMEBITS_TRY(const Json* value, given(field));
    return value->get<bool>();
  }

  /// False where the field is absent.
  Result<bool> option(const char* field) const {
    return config_.contains(field) && !config_[field].is_null() ? flag(field) : Result<bool>(false);
  }

  Result<double> number(const char* field) const {
    SAMEBITS_TRY(const Json* value, given(field));
    return value->get<double>();
  }

  Result<Filter> filter(const char* field) const {
    SAMEBITS_TRY(const Json* value, given(field));
    if (!value->is_number()) return refused(field);
    return static_cast<Filter>(value->get<int>());
  }

  Result<std::array<double, 3>> three(const char* field) const {
    SAMEBITS_TRY(const Json* value, given(field));
    std::array<double, 3> numbers{};
    if (value->is_number()) {
      numbers.fill(value->get<double>());
      return numbers;
    }
    if (value->size() != numbers.size()) return refused(field);
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = (*value)[i].get<double>();
    return numbers;
  }

  /// {"height", "width"}, {"shortest_edge"} where it may be, or one number: both sides.
  Result<ImageProcessor::Size> size(const char* field, bool edge) const {
    SAMEBITS_TRY(const Json* value, given(field));
    ImageProcessor::Size size;
    if (value->is_number()) {
      size.height = size.width = value->get<std::size_t>();
      return size;
    }
    if (has_sides(*value, {"height", "width"})) {
      size.height = (*value)["height"].get<std::size_t>();
      size.width = (*value)["width"].get<std::size_t>();
      return size;
    }
    if (!edge || !has_sides(*value, {"shortest_edge"})) return refused(field);
    size.shortest_edge = (*value)["shortest_edge"].get<std::size_t>();
    return size;
  }

  tl::unexpected<Error> refused(const char* field) const {
    return fail({.code = ErrorCode::unsupported,
                 .what = fmt::format("this {} of an image processor is not covered", field),
                 .file = file_,
                 .found = short_json(config_[field])});
  }

 private:
  Error lacking(const char* field) const {
    return {.code = ErrorCode::usage,
            .what = std::string("the image processor's config does not say ") + field,
            .file = file_};
  }

  Error in_file(Error error) const {
    error.file = file_;
    return error;
  }

  /// Whether an object has these members and no other.
  static bool has_sides(const Json& value, std::initializer_list<const char*> names) {
    return value.is_object() && value.size() == names.size() &&
           std::all_of(names.begin(), names.end(), [&](const char* name) {
             return value.contains(name) && value[name].is_number();
           });
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

Result<void> check_input_size(std::size_t height, std::size_t width) {
  if (height > 0 && width > 0 && width <= kLimits.prepared_pixels / height) return {};
  return fail({.code = ErrorCode::limit,
               .what = "the picture cannot be prepared at this size",
               .expected = fmt::format("1 to {} pixels", kLimits.prepared_pixels),
               .found = fmt::format("{} x {}", width, height)});
}

/// The size itself, and what lies between the two passes.
Result<void> check_resize(const ImageProcessor& processor, const RgbImage& image,
                          const ImageProcessor::Size& size) {
  SAMEBITS_TRY_VOID(check_input_size(size.height, size.width));
  const std::uint64_t between =
      pixels_between(image, size.height, size.width, processor.filter, processor.order);
  if (between <= kLimits.image_pixels) return {};
  return fail(
      {.code = ErrorCode::limit,
       .what = fmt::format("a picture of {} x {} pixels is too long to be resized to {} x {}",
                           image.width, image.height, size.width, size.height),
       .expected = fmt::format("at most {} pixels in between", kLimits.image_pixels),
       .found = std::to_string(between)});
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
  processor.fast_class = reader.fast_class();
  SAMEBITS_TRY(const bool resized, reader.flag("do_resize"));
  if (resized) {
    SAMEBITS_TRY(processor.resize, reader.size("size", true));
    SAMEBITS_TRY(processor.filter, reader.filter("resample"));
  }
  SAMEBITS_TRY(const bool cropped, reader.option("do_center_crop"));
  if (cropped) {
    SAMEBITS_TRY(processor.crop, reader.size("crop_size", false));
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
  SAMEBITS_TRY(const bool padded, reader.option("do_pad"));
  if (padded) return reader.refused("do_pad");
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
    SAMEBITS_TRY_VOID(check_resize(processor, image, size));
    version_matters = processor.filter != Filter::nearest && size.width != image.width &&
                      height_first(image, size.height, size.width, PassOrder::pillow13);
    image = resize(image, size.height, size.width, processor.filter, processor.order);
  }
  SAMEBITS_TRY_VOID(check_input_size(processor.crop ? processor.crop->height : image.height,
                                     processor.crop ? processor.crop->width : image.width));
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
