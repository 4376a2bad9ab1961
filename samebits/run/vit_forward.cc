#include "samebits/run/vit_forward.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "samebits/base/limits.h"
#include "samebits/base/work_meter.h"
#include "samebits/kernels/layer_norm.h"
#include "samebits/kernels/reference.h"

namespace samebits {
namespace {

using Floats = std::vector<float>;
using Sizes = std::vector<std::size_t>;

// Tokens that one part of a batch has at least: enough rows for full speed.
constexpr std::size_t kPartTokens = 1536;

void add_to(const float* from, std::size_t count, float* into) {
  for (std::size_t i = 0; i < count; ++i) into[i] = into[i] + from[i];
}

/// Outputs of a batch that is run in parts.
class Collected {
 public:
  explicit Collected(std::size_t batch) : batch_(batch) {}

  /// Values of the next images; `rest` are the sizes behind the batch's.
  void add(std::string_view name, const Sizes& rest, Floats values, bool is_index = false) {
    const auto found = std::find_if(arrays_.begin(), arrays_.end(),
                                    [&](const NamedArray& array) { return array.name == name; });
    if (found != arrays_.end()) {
      found->values.insert(found->values.end(), values.begin(), values.end());
      return;
    }
    Sizes shape = {batch_};
    shape.insert(shape.end(), rest.begin(), rest.end());
    arrays_.push_back({std::string(name), std::move(shape), std::move(values), is_index});
  }

  std::vector<NamedArray> take() { return std::move(arrays_); }

 private:
  std::size_t batch_;
  std::vector<NamedArray> arrays_;
};

}  // namespace

/// One pass over some images.
class VitModel::Pass {
 public:
  Pass(VitModel& model, const Engine& engine, const VitInput& input, const TracePoint& trace)
      : config_(model.config_),
        weights_(model.weights_),
        images_(input.images),
        grid_(patch_grid(config_, images_.height, images_.width)),
        keep_(input.keep),
        begun_(input.begun),
        first_stage_(input.begun == nullptr ? 0 : input.first_stage),
        step_{engine, config_, trace, input.training, model.work_, images_.count} {
    if (config_.masked) {
      for (std::size_t image = 0; image < images_.count; ++image)
        maskings_.push_back(random_masking(
            input.noise.subspan(image * grid_.cells(), grid_.cells()), input.mask_ratio));
    }
    const std::size_t kept = maskings_.empty() ? grid_.cells() : maskings_[0].kept.size();
    tokens_ = front() + kept;
    kept_ = input.hidden_state || trace || input.training != nullptr ? tokens_ : tokens_read();
    gives_hidden_ = input.hidden_state;
    if (keep_ != nullptr) keep_->before.assign(stage_count(weights_), nullptr);
  }

  const std::vector<Masking>& maskings() const { return maskings_; }

  void run(Collected* outputs, Floats* errors) {
    Floats hidden = encode();
    if (weights_.classifier) classify(hidden, outputs);
    if (weights_.pooler) pool(hidden, outputs);
    if (weights_.decoder_pred) {
      Floats logits = decode(hidden);
      const Floats more = patch_errors(config_, images_, logits);
      errors->insert(errors->end(), more.begin(), more.end());
      outputs->add("logits", {grid_.cells(), config_.patch_values()}, std::move(logits));
    }
    if (gives_hidden_)
      outputs->add("last_hidden_state", {tokens_, config_.encoder.width}, std::move(hidden));
  }

 private:
  std::size_t front() const { return config_.positioned() + config_.registers; }

  /// Of the encoder's output: how many of an image's first tokens something is made from.
  std::size_t tokens_read() const {
    if (weights_.decoder_pred || config_.mean_of_patches) return tokens_;
    if (weights_.blocks.empty()) return tokens_;
    if (weights_.distillation_classifier) return 2;
    return weights_.classifier || weights_.pooler ? 1 : tokens_;
  }

  Floats apply(const LinearWeights& layer, const float* x, std::size_t stride, std::size_t rows) {
    Floats out(rows * layer.matrix.columns());
    linear(step_.engine, x, stride, rows, layer.matrix, layer.bias.data(), Epilogue::bias,
           out.data(), layer.matrix.columns());
    return out;
  }

  bool resized() const {
    return !(grid_ == patch_grid(config_, config_.image_height, config_.image_width));
  }

  /// Positions of the patches, [patches, width].
  Floats patch_positions() const {
    const std::size_t width = config_.encoder.width;
    const std::span<const float> all =
        std::span(weights_.positions).subspan(config_.positioned() * width);
    if (!resized()) return {all.begin(), all.end()};
    return resample_positions(all, patch_grid(config_, config_.image_height, config_.image_width),
                              grid_, width, config_.resampling);
  }

  /// Positions of the decoder's tokens. transformers resamples their flattened row, not the grid.
  Floats decoder_positions() const {
    const Floats& all = weights_.decoder_positions;
    if (!resized()) return all;
    const std::size_t width = config_.decoder.width;
    const Floats patches =
        resample_positions(std::span(all).subspan(width), {1, all.size() / width - 1},
                           {1, grid_.cells()}, width, config_.resampling);
    Floats positions(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(width));
    positions.insert(positions.end(), patches.begin(), patches.end());
    return positions;
  }

  /// What stands before the patches: class token, distillation token, registers.
  Floats front_tokens() const {
    Floats tokens = weights_.class_token;
    tokens.insert(tokens.end(), weights_.distillation_token.begin(),
                  weights_.distillation_token.end());
    add_to(weights_.positions.data(), tokens.size(), tokens.data());
    tokens.insert(tokens.end(), weights_.registers.begin(), weights_.registers.end());
    return tokens;
  }

  /// work.x [images, tokens, width]: the tokens with their positions.
  void embed() {
    const std::size_t width = config_.encoder.width;
    const Floats positions = patch_positions();
    const Floats tokens = front_tokens();
    Sizes which(grid_.cells());
    std::iota(which.begin(), which.end(), std::size_t{0});
    step_.work.x.reserve(images_.count * tokens_ * width);
    step_.work.rows.reserve((tokens_ - front()) * config_.patch_values());
    for (std::size_t image = 0; image < images_.count; ++image) {
      const Sizes& kept = maskings_.empty() ? which : maskings_[image].kept;
      patch_rows(config_, images_, image, kept, step_.work.rows.data());
      float* x = step_.work.x.data() + image * tokens_ * width;
      std::memcpy(x, tokens.data(), tokens.size() * sizeof(float));
      x += tokens.size();
      const LinearWeights& layer = weights_.patches;
      linear(step_.engine, step_.work.rows.data(), config_.patch_values(), kept.size(),
             layer.matrix, layer.bias.data(), Epilogue::bias, x, width);
      for (std::size_t i = 0; i < kept.size(); ++i)
        add_to(positions.data() + kept[i] * width, width, x + i * width);
    }
    if (config_.embedding_dropout)
      step_.drop(config_.hidden_dropout, step_.work.x.data(), images_.count * tokens_ * width);
    step_.note(config_.names.embeddings, step_.work.x.data(), tokens_, width, width);
  }

  /// The stage behind the encoder's blocks.
  std::size_t behind_encoder() const { return weights_.blocks.size() + 1; }

  /// Takes work.x from what was begun, where this pass starts here, and keeps it. False for a stage
  /// that another pass has run.
  bool enter(std::size_t stage, std::size_t count) {
    if (begun_ != nullptr && stage <= first_stage_) {
      const std::shared_ptr<const Floats>& before = begun_->before.at(stage);
      if (keep_ != nullptr) keep_->before[stage] = before;
      // The heads read the encoder's output wherever the pass starts.
      if (stage < first_stage_ && stage != behind_encoder()) return false;
      SAMEBITS_CHECK(before != nullptr && before->size() == count);
      step_.work.x.reserve(count);
      std::ranges::copy(*before, step_.work.x.data());
    } else if (keep_ != nullptr) {
      const float* x = step_.work.x.data();
      keep_->before[stage] = std::make_shared<const Floats>(x, x + count);
    }
    return true;
  }

  /// The blocks as stages from `stage` on. `kept`: tokens of the last block's output.
  void run_blocks(const std::vector<VitBlock>& blocks, const VitStack& stack, std::size_t stage,
                  std::size_t tokens, std::size_t kept, const std::string& name) {
    WorkStep work("a forward pass", blocks.size());
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      if (enter(stage + i, images_.count * tokens * stack.width))
        run_block(step_, blocks[i], stack, tokens, i + 1 < blocks.size() ? tokens : kept,
                  name + std::to_string(i), step_.work.x.data());
      work.add(1);
    }
  }

  Floats normalized(const NormWeights& norm, std::size_t tokens, std::size_t width,
                    const std::string& name) {
    Floats out(images_.count * tokens * width);
    layer_norm(step_.engine, step_.work.x.data(), norm.gamma.data(), norm.beta.data(), config_.eps,
               images_.count * tokens, width, out.data(), width);
    step_.note(name, out.data(), tokens, width, width);
    return out;
  }

  Floats encode() {
    if (first_stage_ == 0) embed();
    run_blocks(weights_.blocks, config_.encoder, 1, tokens_, kept_, config_.names.layers);
    enter(behind_encoder(), images_.count * kept_ * config_.encoder.width);
    return normalized(weights_.norm, kept_, config_.encoder.width, config_.names.norm);
  }

  /// [images, 2 * width]: the class token and the mean of the patches, each number of which is the
  /// sum() over the tokens divided by their number.
  Floats class_and_mean(const Floats& hidden) const {
    const std::size_t width = config_.encoder.width;
    Floats seen;
    Floats column(tokens_ - front());
    for (std::size_t image = 0; image < images_.count; ++image) {
      const float* from = hidden.data() + image * tokens_ * width;
      seen.insert(seen.end(), from, from + width);
      for (std::size_t d = 0; d < width; ++d) {
        for (std::size_t i = 0; i < column.size(); ++i) column[i] = from[(front() + i) * width + d];
        seen.push_back(reference::sum(column.data(), column.size()) /
                       static_cast<float>(column.size()));
      }
    }
    return seen;
  }

  /// A head's output [images, columns], reported as a point.
  void add_head(const char* output, const std::string& point, Floats values, Collected* outputs) {
    const Sizes rest = {values.size() / images_.count};
    if (step_.trace) step_.trace(point, values, {images_.count, rest[0]});
    outputs->add(output, rest, std::move(values));
  }

  void classify(const Floats& hidden, Collected* outputs) {
    const std::size_t width = config_.encoder.width;
    const LinearWeights& layer = *weights_.classifier;
    Floats logits;
    if (config_.mean_of_patches) {
      const Floats seen = class_and_mean(hidden);
      logits = apply(layer, seen.data(), 2 * width, images_.count);
    } else {
      logits = apply(layer, hidden.data(), kept_ * width, images_.count);
    }
    if (!weights_.distillation_classifier)
      return add_head("logits", config_.names.classifier, std::move(logits), outputs);
    Floats other = apply(*weights_.distillation_classifier, hidden.data() + width, kept_ * width,
                         images_.count);
    Floats mean(logits.size());
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] = (logits[i] + other[i]) / 2;
    // Before the move: a compiler may evaluate the arguments of a call in any order.
    const Sizes classes = {mean.size() / images_.count};
    outputs->add("logits", classes, std::move(mean));
    add_head("cls_logits", config_.names.cls_classifier, std::move(logits), outputs);
    add_head("distillation_logits", config_.names.distillation_classifier, std::move(other),
             outputs);
  }

  void pool(const Floats& hidden, Collected* outputs) {
    Floats pooled =
        apply(*weights_.pooler, hidden.data(), kept_ * config_.encoder.width, images_.count);
    for (float& value : pooled) value = reference::tanh(value);
    add_head("pooler_output", config_.names.pooler, std::move(pooled), outputs);
  }

  /// work.x [images, 1 + patches, decoder width]: the encoder's tokens in the patches' order, the
  /// mask token for those that were removed.
  void restore(const Floats& latent) {
    const std::size_t width = config_.decoder.width;
    const Floats positions = decoder_positions();
    const Floats embedded = apply(*weights_.decoder_embed, latent.data(), config_.encoder.width,
                                  images_.count * tokens_);
    step_.note(config_.names.decoder_embed, embedded.data(), tokens_, width, width);
    step_.work.x.reserve(images_.count * positions.size());
    for (std::size_t image = 0; image < images_.count; ++image) {
      const float* from = embedded.data() + image * tokens_ * width;
      float* to = step_.work.x.data() + image * positions.size();
      std::memcpy(to, from, width * sizeof(float));
      for (std::size_t patch = 0; patch < grid_.cells(); ++patch) {
        const std::size_t at = maskings_[image].restore[patch];
        const float* token =
            at + 1 < tokens_ ? from + (at + 1) * width : weights_.mask_token.data();
        std::memcpy(to + (patch + 1) * width, token, width * sizeof(float));
      }
      add_to(positions.data(), positions.size(), to);
    }
  }

  /// [images, patches, patch values]: the pixels of every patch.
  Floats decode(const Floats& latent) {
    const std::size_t width = config_.decoder.width;
    const std::size_t all = 1 + grid_.cells();
    const std::size_t first = behind_encoder() + 1;
    if (first_stage_ < first) restore(latent);
    run_blocks(weights_.decoder_blocks, config_.decoder, first, all, all,
               config_.names.decoder_layers);
    enter(first + weights_.decoder_blocks.size(), images_.count * all * width);
    const Floats last = normalized(weights_.decoder_norm, all, width, config_.names.decoder_norm);
    const std::size_t values = config_.patch_values();
    Floats logits(images_.count * grid_.cells() * values);
    const LinearWeights& layer = *weights_.decoder_pred;
    if (step_.trace) {  // the class token's row too, which is dropped afterwards
      const Floats rows = apply(layer, last.data(), width, images_.count * all);
      step_.note(config_.names.decoder_pred, rows.data(), all, values, values);
    }
    for (std::size_t image = 0; image < images_.count; ++image)
      linear(step_.engine, last.data() + (image * all + 1) * width, width, grid_.cells(),
             layer.matrix, layer.bias.data(), Epilogue::bias,
             logits.data() + image * grid_.cells() * values, values);
    return logits;
  }

  const VitConfig& config_;
  const VitWeights& weights_;
  Images images_;
  Grid grid_;
  PassStates* keep_;
  const PassStates* begun_;
  std::size_t first_stage_;
  Step step_;
  std::vector<Masking> maskings_;
  std::size_t tokens_ = 0, kept_ = 0;  // of an image: in the encoder, and in its output
  bool gives_hidden_ = true;
};

namespace {

void add_maskings(const std::vector<Masking>& maskings, std::size_t first, std::size_t patches,
                  Collected* outputs, std::vector<std::size_t>* tied) {
  Floats mask;
  Floats restore;
  for (std::size_t i = 0; i < maskings.size(); ++i) {
    if (maskings[i].tied) tied->push_back(first + i);
    mask.insert(mask.end(), maskings[i].mask.begin(), maskings[i].mask.end());
    for (const std::size_t at : maskings[i].restore) restore.push_back(static_cast<float>(at));
  }
  outputs->add("mask", {patches}, std::move(mask));
  outputs->add("ids_restore", {patches}, std::move(restore), true);
}

/// Mean over the removed patches; both sums by reference::sum().
float masked_mean(const Floats& errors, const Floats& mask) {
  Floats masked(errors.size());
  for (std::size_t i = 0; i < errors.size(); ++i) masked[i] = errors[i] * mask[i];
  return reference::sum(masked.data(), masked.size()) / reference::sum(mask.data(), mask.size());
}

}  // namespace

const NamedArray& VitOutputs::at(std::string_view name) const {
  const auto found = std::find_if(arrays.begin(), arrays.end(),
                                  [&](const NamedArray& array) { return array.name == name; });
  SAMEBITS_CHECK(found != arrays.end());
  return *found;
}

std::vector<std::string> VitModel::output_names() const {
  std::vector<std::string> names = {"last_hidden_state"};
  const auto add = [&](bool given, std::initializer_list<const char*> more) {
    if (given) names.insert(names.end(), more.begin(), more.end());
  };
  add(weights_.classifier.has_value(), {"logits"});
  add(weights_.distillation_classifier.has_value(), {"cls_logits", "distillation_logits"});
  add(weights_.pooler.has_value(), {"pooler_output"});
  add(weights_.decoder_pred.has_value(), {"loss", "logits"});
  add(config_.masked, {"mask", "ids_restore"});
  return names;
}

const char* VitModel::cannot_take(std::size_t height, std::size_t width) const {
  const Grid own = patch_grid(config_, config_.image_height, config_.image_width);
  const Grid grid = patch_grid(config_, height, width);
  if (height == config_.image_height && width == config_.image_width) return nullptr;
  if (grid.cells() == 0) return "it is smaller than a patch";
  if (grid.height > kLimits.tokens || grid.width > kLimits.tokens || grid.cells() > kLimits.tokens)
    return "it has more patches than are run";
  if (config_.resampling == Resampling::refused)
    return "the library of this model does not resize its positions";
  return own.height == own.width ? nullptr : "its positions are no square";
}

VitOutputs VitModel::forward(const Engine& engine, const VitInput& input, const TracePoint& trace) {
  const FloatMode contract;
  const Images& images = input.images;
  SAMEBITS_CHECK(images.count > 0 &&
                 images.values.size() ==
                     images.count * config_.channels * images.height * images.width &&
                 cannot_take(images.height, images.width) == nullptr);
  const std::size_t patches = patch_grid(config_, images.height, images.width).cells();
  SAMEBITS_CHECK(!config_.masked || input.noise.size() == images.count * patches);
  SAMEBITS_CHECK(input.hidden_state || (input.keep == nullptr && input.begun == nullptr));
  SAMEBITS_CHECK(input.begun == nullptr || (!trace && input.training == nullptr));
  // A trace is of the whole batch, and so are dropout's masks and the states.
  const bool whole =
      trace || input.training != nullptr || input.keep != nullptr || input.begun != nullptr;
  const std::size_t least = kPartTokens * std::max(2, engine.pool.threads()) / 2;
  const std::size_t part = whole ? images.count : std::max<std::size_t>(1, least / patches);
  Collected collected(images.count);
  Collected masks(images.count);
  VitOutputs outputs;
  Floats errors;
  for (std::size_t first = 0; first < images.count; first += part) {
    const std::size_t count = std::min(part, images.count - first);
    VitInput some = input;
    some.images = images.part(first, count);
    if (config_.masked) some.noise = input.noise.subspan(first * patches, count * patches);
    Pass pass(*this, engine, some, trace);
    pass.run(&collected, &errors);
    if (config_.masked) add_maskings(pass.maskings(), first, patches, &masks, &outputs.tied_images);
  }
  outputs.arrays = collected.take();
  for (NamedArray& array : masks.take()) outputs.arrays.push_back(std::move(array));
  if (weights_.decoder_pred) {
    const float loss = masked_mean(errors, outputs.at("mask").values);
    outputs.arrays.insert(outputs.arrays.begin() + 1, {"loss", {}, {loss}});
  }
  return outputs;
}

}  // namespace samebits
