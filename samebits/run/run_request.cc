#include "samebits/run/run_request.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "samebits/base/mapped_file.h"
#include "samebits/checkpoint/open.h"
#include "samebits/image/decode.h"
#include "samebits/image/processor.h"
#include "samebits/rng/distributions.h"

namespace samebits {
namespace {

/// 16 GB of images are more than any machine here runs at once.
constexpr std::size_t kMostValues = std::size_t{1} << 32;

using Sizes = std::vector<std::size_t>;

std::string sizes_text(const Sizes& sizes) { return fmt::format("[{}]", fmt::join(sizes, ", ")); }

Result<Json> read_config(const RunRequest& request, const Checkpoint& checkpoint) {
  if (request.config_path.empty()) return checkpoint.config;
  SAMEBITS_TRY(const auto file, MappedFile::open(request.config_path));
  return parse_json(file->bytes(), request.config_path);
}

/// The tensor called `name`, or else the only one of the file.
Result<const StoredTensor*> pick(const Checkpoint& file, const std::string& name) {
  for (const StoredTensor& tensor : file.entries) {
    if (tensor.path == name) return &tensor;
  }
  if (file.entries.size() == 1) return &file.entries[0];
  return fail({.code = ErrorCode::usage,
               .what = "the file has no tensor called " + name,
               .file = file.path,
               .found = fmt::format("{} tensors", file.entries.size())});
}

Result<std::vector<float>> floats_of(const Checkpoint& file, const StoredTensor& tensor,
                                     Sizes* sizes) {
  if (tensor.view.dtype() != DType::float32 || !tensor.readable) {
    return fail({.code = ErrorCode::unsupported,
                 .what = "the tensor " + tensor.path + " is no input",
                 .file = file.path,
                 .expected = "float32",
                 .found = std::string(info(tensor.view.dtype()).torch)});
  }
  sizes->clear();
  for (const std::int64_t size : tensor.view.shape())
    sizes->push_back(static_cast<std::size_t>(size));
  std::vector<std::uint8_t> buffer;
  const Bytes bytes = tensor.view.row_major_bytes(buffer);
  std::vector<float> values(tensor.view.numel());
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::uint8_t*>(values.data()));
  return values;
}

class Preparation {
 public:
  Preparation(const RunRequest& request, const Checkpoint& model, PreparedRun& run)
      : request_(request), model_(model), run_(run) {}

  Result<void> images() {
    Sizes sizes;
    if (!request_.images.empty()) {
      SAMEBITS_TRY(sizes, read_pictures());
    } else if (!request_.input_path.empty()) {
      SAMEBITS_TRY(const Checkpoint file, open_checkpoint(request_.input_path));
      SAMEBITS_TRY(const StoredTensor* tensor, pick(file, "pixel_values"));
      SAMEBITS_TRY(run_.images, floats_of(file, *tensor, &sizes));
    } else {
      const VitConfig& config = run_.model.config();
      sizes = request_.randn.empty()
                  ? Sizes{1, config.channels, config.image_height, config.image_width}
                  : request_.randn;
    }
    SAMEBITS_TRY_VOID(check_sizes(sizes));
    run_.batch = sizes[0];
    run_.height = sizes[2];
    run_.width = sizes[3];
    note_resampling();
    if (run_.images.empty()) draw_images(sizes);
    return {};
  }

  Result<void> noise() {
    if (!run_.model.config().masked) return {};
    SAMEBITS_TRY_VOID(ratio());
    const Sizes wanted = {run_.batch,
                          patch_grid(run_.model.config(), run_.height, run_.width).cells()};
    if (request_.noise_path.empty()) {
      run_.noise.resize(wanted[0] * wanted[1]);
      CpuGenerator generator(request_.noise_seed);
      uniform(generator, 0, 1, run_.noise);
      run_.assumed.push_back(fmt::format("noise: torch.rand({}), seed {}", fmt::join(wanted, ", "),
                                         request_.noise_seed));
      return {};
    }
    SAMEBITS_TRY(const Checkpoint file, open_checkpoint(request_.noise_path));
    SAMEBITS_TRY(const StoredTensor* tensor, pick(file, "noise"));
    Sizes sizes;
    SAMEBITS_TRY(run_.noise, floats_of(file, *tensor, &sizes));
    if (sizes != wanted) {
      return fail({.code = ErrorCode::inconsistent,
                   .what = "the noise has another shape than the model takes",
                   .file = request_.noise_path,
                   .expected = sizes_text(wanted),
                   .found = sizes_text(sizes)});
    }
    const auto bad = std::find_if(run_.noise.begin(), run_.noise.end(),
                                  [](float value) { return !std::isfinite(value); });
    if (bad == run_.noise.end()) return {};
    return fail({.code = ErrorCode::malformed,
                 .what = "the noise is not finite",
                 .file = request_.noise_path,
                 .found = fmt::format("{} at element {}", *bad, bad - run_.noise.begin())});
  }

 private:
  /// Fills run_.images; gives their sizes.
  Result<Sizes> read_pictures() {
    Json config = model_.preprocessing;
    std::string from = model_.path;
    if (!request_.processor_path.empty()) {
      from = request_.processor_path;
      SAMEBITS_TRY(const auto file, MappedFile::open(from));
      SAMEBITS_TRY(config, parse_json(file->bytes(), from));
    }
    SAMEBITS_TRY(ImageProcessor processor, image_processor(config, from));
    processor.order = request_.pillow;
    Sizes sizes;
    std::size_t by_version = 0;
    for (const std::string& path : request_.images) {
      SAMEBITS_TRY(const auto file, MappedFile::open(path));
      SAMEBITS_TRY(RgbImage image, decode_image(file->bytes(), path));
      SAMEBITS_TRY(const PixelValues pixels, process_image(processor, std::move(image)));
      const Sizes own = {request_.images.size(), 3, pixels.height, pixels.width};
      if (!sizes.empty() && own != sizes) {
        return fail({.code = ErrorCode::inconsistent,
                     .what = "the pictures have different sizes after preprocessing",
                     .file = path,
                     .expected = sizes_text({sizes[2], sizes[3]}),
                     .found = sizes_text({own[2], own[3]})});
      }
      sizes = own;
      by_version += pixels.version_matters ? 1 : 0;
      run_.images.insert(run_.images.end(), pixels.values.begin(), pixels.values.end());
    }
    const bool old = request_.pillow == PassOrder::pillow12;
    run_.assumed.push_back(fmt::format(
        "pictures: as transformers' image processor on Pillow {} gives them", old ? 12 : 13));
    if (by_version > 0)
      run_.assumed.push_back(fmt::format(
          "{} of them: Pillow {} resizes in another order, which can move pixels by one level",
          by_version, old ? 13 : 12));
    return sizes;
  }

  void draw_images(const Sizes& sizes) {
    run_.images.resize(sizes[0] * sizes[1] * sizes[2] * sizes[3]);
    CpuGenerator generator(request_.seed);
    normal(generator, 0, 1, run_.images);
    if (request_.randn.empty())
      run_.assumed.push_back(
          fmt::format("input: torch.randn({}), seed {}", fmt::join(sizes, ", "), request_.seed));
  }

  Result<void> check_sizes(const Sizes& sizes) const {
    const VitConfig& config = run_.model.config();
    const bool fits =
        sizes.size() == 4 && sizes[0] > 0 && sizes[1] == config.channels &&
        std::max(sizes[2], sizes[3]) < 65536 &&
        sizes[0] <= kMostValues / std::max<std::size_t>(1, sizes[1] * sizes[2] * sizes[3]);
    const char* reason = fits ? run_.model.cannot_take(sizes[2], sizes[3]) : "";
    if (reason == nullptr) return {};
    return fail({.code = ErrorCode::inconsistent,
                 .what = std::string("the input has another shape than the model takes") +
                         (*reason == 0 ? "" : ": ") + reason,
                 .expected = fmt::format("[batch, {}, {}, {}]", config.channels,
                                         config.image_height, config.image_width),
                 .found = sizes_text(sizes)});
  }

  void note_resampling() {
    const VitConfig& config = run_.model.config();
    if (run_.height == config.image_height && run_.width == config.image_width) return;
    const Grid own = patch_grid(config, config.image_height, config.image_width);
    const Grid grid = patch_grid(config, run_.height, run_.width);
    run_.assumed.push_back(fmt::format("positions: resampled from {}x{} to {}x{} patches, {}",
                                       own.height, own.width, grid.height, grid.width,
                                       config.resampling == Resampling::bicubic
                                           ? "bicubic, as interpolate_pos_encoding=True does"
                                           : "bicubic with antialias, as timm does"));
  }

  Result<void> ratio() {
    run_.mask_ratio = request_.mask_ratio.value_or(run_.model.config().mask_ratio);
    if (run_.mask_ratio >= 0 && run_.mask_ratio < 1) return {};
    return fail({.code = ErrorCode::malformed,
                 .what = "the mask ratio is not usable",
                 .expected = "0 to below 1",
                 .found = fmt::format("{}", run_.mask_ratio)});
  }

  const RunRequest& request_;
  const Checkpoint& model_;
  PreparedRun& run_;
};

std::vector<std::string> labels_of(const Json& config) {
  std::vector<std::string> labels;
  if (!config.is_object() || !config.contains("id2label") || !config["id2label"].is_object())
    return labels;
  const Json& names = config["id2label"];
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto at = names.find(std::to_string(i));
    if (at == names.end() || !at->is_string()) return {};
    labels.push_back(at->get<std::string>());
  }
  return labels;
}

}  // namespace

VitOutputs PreparedRun::forward(const Engine& engine, const TracePoint& trace) {
  std::optional<CpuGenerator> generator;
  if (dropout_seed) generator.emplace(*dropout_seed);
  return model.forward(engine,
                       {.images = {images, batch, height, width},
                        .noise = noise,
                        .mask_ratio = mask_ratio,
                        .training = generator ? &*generator : nullptr},
                       trace);
}

Result<PreparedRun> prepare_run(const RunRequest& request) {
  SAMEBITS_TRY(const Checkpoint checkpoint, open_checkpoint(request.model, {.key = request.key}));
  if (!checkpoint.unread.empty()) return fail(checkpoint.unread[0]);
  SAMEBITS_TRY(const Json config, read_config(request, checkpoint));
  SAMEBITS_TRY(VitModel model, open_vit(checkpoint, config));
  if (request.dropout_seed && model.config().no_training != nullptr) {
    return fail({.code = ErrorCode::unsupported,
                 .what = std::string("training mode is not covered for this model: ") +
                         model.config().no_training,
                 .file = request.model});
  }
  PreparedRun run{.model = std::move(model),
                  .config = config,
                  .labels = labels_of(config),
                  .dropout_seed = request.dropout_seed};
  Preparation preparation(request, checkpoint, run);
  SAMEBITS_TRY_VOID(preparation.images());
  SAMEBITS_TRY_VOID(preparation.noise());
  return run;
}

}  // namespace samebits
