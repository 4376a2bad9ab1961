#include "samebits/run/run_request.h"

#include <algorithm>

#include <fmt/format.h>

#include "samebits/base/float_mode.h"
#include "samebits/base/limits.h"
#include "samebits/base/mapped_file.h"
#include "samebits/image/decode.h"
#include "samebits/image/processor.h"
#include "samebits/rng/distributions.h"
#include "samebits/run/input_file.h"

namespace samebits {
namespace {

using InputSizes = std::vector<std::size_t>;

bool is_too_large(const InputSizes& sizes) {
  std::uint64_t left = kLimits.input_values;
  for (const std::size_t size : sizes) left /= std::max<std::size_t>(1, size);
  return left == 0;
}

/// One call of prepare_input().
class Preparation {
 public:
  Preparation(const InputRequest& request, const VitModel& model, const Checkpoint& checkpoint)
      : request_(request), model_(model), checkpoint_(checkpoint) {}

  Result<PreparedInput> make() {
    InputSizes sizes;
    if (!request_.images.empty()) {
      SAMEBITS_TRY(sizes, read_pictures());
    } else if (!request_.input_path.empty()) {
      SAMEBITS_TRY(InputTensor tensor, read_input_tensor(request_.input_path, "pixel_values"));
      input_.images = std::move(tensor.values);
      sizes = tensor.sizes;
    } else if (request_.tensor) {
      input_.images = request_.tensor->values;
      sizes = request_.tensor->sizes;
    } else {
      const VitConfig& config = model_.config();
      sizes = request_.randn.empty()
                  ? InputSizes{1, config.channels, config.image_height, config.image_width}
                  : request_.randn;
    }
    SAMEBITS_TRY_VOID(check_sizes(sizes));
    input_.batch = sizes[0];
    input_.height = sizes[2];
    input_.width = sizes[3];
    note_resampling();
    if (input_.images.empty()) draw_images(sizes);
    return std::move(input_);
  }

 private:
  /// Fills input_.images; gives their sizes.
  Result<InputSizes> read_pictures() {
    Json config = checkpoint_.preprocessing;
    std::string from = checkpoint_.file_beside("preprocessor_config.json");
    if (request_.processor_path.empty() && config.is_null() &&
        !checkpoint_.preprocessing_faults.empty())
      return fail(checkpoint_.preprocessing_faults[0]);
    if (!request_.processor_path.empty()) {
      from = request_.processor_path;
      SAMEBITS_TRY(const auto file, MappedFile::open(from));
      SAMEBITS_TRY(config, parse_json(file->bytes(), from));
    }
    SAMEBITS_TRY(ImageProcessor processor, image_processor(config, from));
    processor.order = request_.pillow;
    input_.not_computed = processor.fast_class;
    InputSizes sizes;
    std::size_t by_version = 0;
    for (const std::string& path : request_.images) {
      SAMEBITS_TRY(const auto file, MappedFile::open(path));
      SAMEBITS_TRY(RgbImage image, decode_image(file->bytes(), path));
      SAMEBITS_TRY(const PixelValues pixels, process_image(processor, std::move(image)));
      const InputSizes own = {request_.images.size(), 3, pixels.height, pixels.width};
      if (!sizes.empty() && own != sizes) {
        return fail({.code = ErrorCode::inconsistent,
                     .what = "the pictures have different sizes after preprocessing",
                     .file = path,
                     .expected = sizes_text({sizes[2], sizes[3]}),
                     .found = sizes_text({own[2], own[3]})});
      }
      sizes = own;
      by_version += pixels.version_matters ? 1 : 0;
      if (is_too_large(sizes)) break;  // check_sizes() says so
      input_.images.insert(input_.images.end(), pixels.values.begin(), pixels.values.end());
    }
    const bool old = request_.pillow == PassOrder::pillow12;
    input_.assumed.push_back(fmt::format(
        "pictures: as transformers' image processor on Pillow {} gives them", old ? 12 : 13));
    if (!input_.not_computed.empty())
      input_.assumed.push_back(
          fmt::format("pictures: {} resizes by torchvision where that is installed, and then gives "
                      "other pixels, which are not computed",
                      input_.not_computed));
    if (by_version > 0)
      input_.assumed.push_back(fmt::format(
          "{} of them: Pillow {} resizes in another order, which can move pixels by one level",
          by_version, old ? 13 : 12));
    return sizes;
  }

  void draw_images(const InputSizes& sizes) {
    input_.images.resize(sizes[0] * sizes[1] * sizes[2] * sizes[3]);
    CpuGenerator generator(request_.seed);
    normal(generator, 0, 1, input_.images);
    if (request_.randn.empty())
      input_.assumed.push_back(
          fmt::format("input: torch.randn({}), seed {}", fmt::join(sizes, ", "), request_.seed));
  }

  Result<void> check_sizes(const InputSizes& sizes) const {
    const VitConfig& config = model_.config();
    if (is_too_large(sizes)) {
      return fail({.code = ErrorCode::limit,
                   .what = "the input is larger than what is run at once",
                   .expected = fmt::format("at most {} numbers", kLimits.input_values),
                   .found = sizes_text(sizes),
                   .hint = "Run it in several parts"});
    }
    const bool fits = sizes.size() == 4 && sizes[0] > 0 && sizes[1] == config.channels;
    const char* reason = fits ? model_.cannot_take(sizes[2], sizes[3]) : "";
    if (reason == nullptr) return {};
    return fail({.code = ErrorCode::inconsistent,
                 .what = std::string("the input has another shape than the model takes") +
                         (*reason == 0 ? "" : ": ") + reason,
                 .expected = fmt::format("[batch, {}, {}, {}]", config.channels,
                                         config.image_height, config.image_width),
                 .found = sizes_text(sizes)});
  }

  void note_resampling() {
    const VitConfig& config = model_.config();
    if (input_.height == config.image_height && input_.width == config.image_width) return;
    const Grid own = patch_grid(config, config.image_height, config.image_width);
    const Grid grid = patch_grid(config, input_.height, input_.width);
    input_.assumed.push_back(fmt::format("positions: resampled from {}x{} to {}x{} patches, {}",
                                         own.height, own.width, grid.height, grid.width,
                                         config.resampling == Resampling::bicubic
                                             ? "bicubic, as interpolate_pos_encoding=True does"
                                             : "bicubic with antialias, as timm does"));
  }

  const InputRequest& request_;
  const VitModel& model_;
  const Checkpoint& checkpoint_;
  PreparedInput input_;
};

}  // namespace

Result<PreparedInput> prepare_input(const InputRequest& request, const VitModel& model,
                                    const Checkpoint& checkpoint) {
  const FloatMode contract;
  return Preparation(request, model, checkpoint).make();
}

}  // namespace samebits
