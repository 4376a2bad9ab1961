#include "samebits/train/model_step.h"

#include <algorithm>
#include <cmath>

#include "samebits/base/float_mode.h"
#include "samebits/kernels/layer_norm.h"
#include "samebits/rng/distributions.h"

namespace samebits {
namespace {

bool all_finite(const float* x, std::size_t count) {
  return std::all_of(x, x + count, [](float each) { return std::isfinite(each); });
}

}  // namespace

const char* ModelStep::cannot_train(const VitModel& model) {
  const VitConfig& config = model.config();
  const VitWeights& weights = model.weights();
  if (config.no_training != nullptr) return config.no_training;
  if (config.encoder.gated || config.decoder.gated) return "its perceptrons are gated (SwiGLU)";
  if (weights.distillation_classifier)
    return "a model with two heads learns from a teacher, which is not covered";
  if (weights.blocks.empty()) return "it has no blocks";
  if (!weights.decoder_pred && !weights.classifier)
    return "it has no head that gives a loss: neither a classifier nor a decoder";
  return nullptr;
}

StepScope ModelStep::scope(const Engine& engine, const TrainBatch& batch) {
  return {.engine = engine,
          .config = model_.config(),
          .memory = memory_,
          .generator = batch.generator,
          .images = batch.images.count,
          .leaf = batch.leaf,
          .learns_positions = learns_positions_ || !model_.config().masked,
          .part = batch.part};
}

std::vector<float> ModelStep::forward(const Engine& engine, const TrainBatch& batch,
                                      const StepPoint& point) {
  const FloatMode contract;
  const StepScope step = scope(engine, batch);
  const VitConfig& config = model_.config();
  const VitWeights& weights = model_.weights();
  const std::size_t width = config.encoder.width;
  const std::size_t cells = patch_grid(config, batch.images.height, batch.images.width).cells();
  images_ = batch.images.count;
  maskings_.clear();
  for (std::size_t image = 0; config.masked && image < images_; ++image)
    maskings_.push_back(
        random_masking(batch.noise.subspan(image * cells, cells), batch.mask_ratio));
  const std::size_t kept = maskings_.empty() ? cells : maskings_[0].kept.size();
  const std::size_t tokens = config.positioned() + config.registers + kept;
  std::vector<BlockKept>& blocks = memory_.encoder;
  blocks.resize(weights.blocks.size());
  for (BlockKept& each : blocks) each.input.reserve(images_ * tokens * width);
  for (AlignedFloats* each : {&last_, &hidden_, &dx_, &dhidden_})
    each->reserve(images_ * tokens * width);

  embed_.forward(step, weights, batch.images, maskings_, blocks[0].input.data());
  if (point) point(config.names.embeddings, {blocks[0].input.data(), rows() * width}, width);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    float* out = i + 1 < blocks.size() ? blocks[i + 1].input.data() : last_.data();
    BlockStep(step, weights.blocks[i], config.encoder, tokens, blocks[i]).forward(out);
    if (point) point(config.names.layers + std::to_string(i), {out, rows() * width}, width);
  }
  layer_norm(engine, last_.data(), weights.norm.gamma.data(), weights.norm.beta.data(), config.eps,
             rows(), width, hidden_.data(), width);
  if (point) point(config.names.norm, {hidden_.data(), rows() * width}, width);
  if (weights.decoder_pred)
    return mae_.forward(step, weights, hidden_.data(), tokens, batch.images, maskings_);
  return class_.forward(step, weights, hidden_.data(), tokens, batch.labels, batch.global_images);
}

void ModelStep::back(const Engine& engine, const TrainBatch& batch, VitWeights& gradient,
                     const StepPoint& point, const BlockDone& done) {
  const FloatMode contract;
  const StepScope step = scope(engine, batch);
  const VitConfig& config = model_.config();
  const VitWeights& weights = model_.weights();
  const std::size_t width = config.encoder.width;
  const std::size_t tokens = embed_.tokens();
  if (weights.decoder_pred) {
    mae_.back(step, weights, hidden_.data(), dhidden_.data(), tokens, batch.images, maskings_,
              batch.global_images, gradient, done);
  } else {
    class_.back(step, weights, dhidden_.data(), tokens, gradient);
  }
  std::fill_n(dx_.data(), rows() * width, 0.0F);
  layer_norm_back(engine,
                  {.x = last_.data(),
                   .gamma = weights.norm.gamma.data(),
                   .dy = {dhidden_.data(), width},
                   .eps = config.eps,
                   .width = width,
                   .dx = dx_.data(),
                   .dgamma = gradient.norm.gamma.data(),
                   .dbeta = gradient.norm.beta.data()},
                  step.rows(tokens), memory_.gradient);
  for (std::size_t i = weights.blocks.size(); i-- > 0;) {
    if (point) point(config.names.layers + std::to_string(i), {dx_.data(), rows() * width}, width);
    BlockStep(step, weights.blocks[i], config.encoder, tokens, memory_.encoder[i])
        .back(dx_.data(), gradient.blocks[i % gradient.blocks.size()]);
    if (done) done(false, i);
  }
  if (point) point(config.names.embeddings, {dx_.data(), rows() * width}, width);
  embed_.back(step, dx_.data(), maskings_, gradient);
}

float ModelStep::divisor(const TrainBatch& batch) const {
  if (!model_.weights().decoder_pred) return static_cast<float>(batch.global_images);
  const std::size_t patches = model_.config().patches();
  const std::size_t removed = patches - kept_patches(patches, batch.mask_ratio);
  return static_cast<float>(removed * batch.global_images);
}

void ModelStep::skip_draws(const TrainBatch& batch, std::size_t images) const {
  const VitConfig& config = model_.config();
  const std::size_t patches = config.patches();
  const std::size_t kept = config.masked ? kept_patches(patches, batch.mask_ratio) : patches;
  const std::size_t tokens = config.positioned() + config.registers + kept;
  const std::size_t of_decoder = model_.weights().decoder_pred ? 1 + patches : 0;
  skip_dropout_mask(*batch.generator, images * dropout_elements(config, tokens, of_decoder));
}

std::string ModelStep::first_not_finite(const TrainBatch& batch) const {
  const VitConfig& config = model_.config();
  const VitWeights& weights = model_.weights();
  if (!all_finite(batch.images.values.data(), batch.images.values.size())) return "the images";
  const std::size_t size = rows() * config.encoder.width;
  if (!all_finite(memory_.encoder[0].input.data(), size)) return config.names.embeddings;
  for (std::size_t i = 0; i < weights.blocks.size(); ++i) {
    const bool last = i + 1 == weights.blocks.size();
    if (!all_finite(last ? last_.data() : memory_.encoder[i + 1].input.data(), size))
      return config.names.layers + std::to_string(i);
  }
  if (!all_finite(hidden_.data(), size)) return config.names.norm;
  if (!weights.decoder_pred) {
    const std::vector<float>& logits = class_.logits();
    return all_finite(logits.data(), logits.size()) ? "loss" : config.names.classifier;
  }
  const std::size_t decoded = images_ * (1 + maskings_[0].mask.size()) * config.decoder.width;
  const std::vector<BlockKept>& blocks = memory_.decoder;
  if (!blocks.empty() && !all_finite(blocks[0].input.data(), decoded))
    return config.names.decoder_embed;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const bool last = i + 1 == blocks.size();
    if (!all_finite(last ? mae_.output().data() : blocks[i + 1].input.data(), decoded))
      return config.names.decoder_layers + std::to_string(i);
  }
  return "loss";
}

float loss_of(std::span<const float> of_images, std::size_t leaf, float divisor) {
  const FloatMode contract;
  float total = 0;
  reference::column_gradient(of_images.data(), 1, nullptr, 0, {of_images.size(), leaf}, 1, &total);
  return total / divisor;
}

}  // namespace samebits
