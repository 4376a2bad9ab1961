#include "samebits/train/train_options.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

namespace samebits {
namespace {

Error wrong_options(const std::string& what, const std::string& hint) {
  return {.code = ErrorCode::usage, .what = what, .hint = hint};
}

/// Reads fields and remembers the first that is absent or of another type.
class OptionFields {
 public:
  explicit OptionFields(const Json& json) : json_(json) {}

  template <class T>
  void read(const char* name, T* value) {
    const auto at = json_.is_object() ? json_.find(name) : json_.end();
    const bool fits = at != json_.end() && of_type<T>(*at);
    if (!fits) {
      if (wrong_.empty()) wrong_ = name;
      return;
    }
    *value = at->template get<T>();
  }
  /// One that is written only where it is not as usual.
  template <class T>
  void read_if_there(const char* name, T* value) {
    if (json_.is_object() && json_.contains(name)) read(name, value);
  }
  const std::string& wrong() const { return wrong_; }

 private:
  template <class T>
  static bool of_type(const Json& value) {
    if constexpr (std::is_same_v<T, bool>) return value.is_boolean();
    if constexpr (std::is_same_v<T, std::string>) return value.is_string();
    if constexpr (std::is_same_v<T, double>) return value.is_number();
    return value.is_number_unsigned();
  }

  const Json& json_;
  std::string wrong_;
};

}  // namespace

std::size_t TrainOptions::usual_leaf(std::size_t batch) {
  constexpr std::size_t kMost = 4;
  return std::min(kMost, std::bit_floor(std::max<std::size_t>(1, batch / 4)));
}

Result<void> TrainOptions::check() const {
  if (!std::has_single_bit(leaf))
    return fail(wrong_options(fmt::format("a leaf of {} images is no power of two", leaf), ""));
  if (accumulate > 1 && batch % leaf != 0)
    return fail(wrong_options(
        fmt::format("batches of {} images cannot be accumulated: they are no whole leaves of {}",
                    batch, leaf),
        "Choose a --leaf that divides the batch"));
  if (schedule != Schedule::Kind::constant && warmup > steps)
    return fail(wrong_options("the warm-up is longer than the training", ""));
  return {};
}

Json options_json(const TrainOptions& options) {
  Json json = {{"data", options.data},
               {"validation", options.validation},
               {"steps", options.steps},
               {"batch", options.batch},
               {"accumulate", options.accumulate},
               {"leaf", options.leaf},
               {"lr", options.lr},
               {"beta1", options.adamw.beta1},
               {"beta2", options.adamw.beta2},
               {"eps", options.adamw.eps},
               {"weight_decay", options.adamw.weight_decay},
               {"decay_all", options.decay_all},
               {"schedule", schedule_name(options.schedule)},
               {"warmup", options.warmup},
               {"clip", options.clip},
               {"seed", options.seed},
               {"mask_ratio", options.mask_ratio},
               {"norm_pix_loss", options.norm_pix_loss},
               {"save_every", options.save_every},
               {"keep", options.keep}};
  if (options.torch_tails) json["torch_tails"] = true;
  if (options.layer_decay != 1) json["layer_decay"] = options.layer_decay;
  return json;
}

Result<TrainOptions> options_from_json(const Json& json, const std::string& file) {
  TrainOptions options;
  std::string schedule;
  OptionFields fields(json);
  fields.read("data", &options.data);
  fields.read("validation", &options.validation);
  fields.read("steps", &options.steps);
  fields.read("batch", &options.batch);
  fields.read("accumulate", &options.accumulate);
  fields.read("leaf", &options.leaf);
  fields.read("lr", &options.lr);
  fields.read("beta1", &options.adamw.beta1);
  fields.read("beta2", &options.adamw.beta2);
  fields.read("eps", &options.adamw.eps);
  fields.read("weight_decay", &options.adamw.weight_decay);
  fields.read("decay_all", &options.decay_all);
  fields.read("schedule", &schedule);
  fields.read("warmup", &options.warmup);
  fields.read("clip", &options.clip);
  fields.read("seed", &options.seed);
  fields.read("mask_ratio", &options.mask_ratio);
  fields.read("norm_pix_loss", &options.norm_pix_loss);
  fields.read("save_every", &options.save_every);
  fields.read("keep", &options.keep);
  fields.read_if_there("torch_tails", &options.torch_tails);
  fields.read_if_there("layer_decay", &options.layer_decay);
  const auto kind = schedule_from_name(schedule);
  const auto fits = [](std::uint64_t n) { return n > 0 && n <= kMostImages; };
  const bool sizes = fits(options.batch) && fits(options.accumulate) && fits(options.leaf) &&
                     options.steps <= kMostSteps && options.mask_ratio >= 0 &&
                     options.mask_ratio <= 1;
  if (fields.wrong().empty() && kind && sizes) {
    options.schedule = *kind;
    return options;
  }
  return fail({.code = ErrorCode::malformed,
               .what = "the options of the training cannot be read: " +
                       (fields.wrong().empty() ? "a value that train never has" : fields.wrong()),
               .file = file});
}

}  // namespace samebits
