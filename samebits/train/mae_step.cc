#include "samebits/train/mae_step.h"

#include <algorithm>
#include <cstring>

#include "samebits/kernels/layer_norm.h"

namespace samebits {
namespace {

void add_positions(const std::vector<float>& positions, float* x) {
  for (std::size_t i = 0; i < positions.size(); ++i) x[i] = x[i] + positions[i];
}

}  // namespace

std::vector<float> MaeStep::forward(const StepScope& scope, const VitWeights& weights,
                                    const float* latent, std::size_t tokens, const Images& images,
                                    const std::vector<Masking>& maskings) {
  const VitConfig& config = scope.config;
  const std::size_t width = config.decoder.width;
  const std::size_t values = config.patch_values();
  const std::size_t patches = maskings[0].mask.size();
  all_ = 1 + patches;
  const std::size_t rows = images.count * all_;
  for (AlignedFloats* each : {&last_, &normal_, &dx_, &embedded_}) each->reserve(rows * width);
  predicted_.reserve(rows * values);
  std::vector<BlockKept>& kept = scope.memory.decoder;
  kept.resize(weights.decoder_blocks.size());
  for (BlockKept& each : kept) each.input.reserve(rows * width);

  // embedded = latent W' + b; the tokens in the patches' order, mask tokens among them
  linear(scope.engine, latent, config.encoder.width, images.count * tokens,
         weights.decoder_embed->matrix, weights.decoder_embed->bias.data(), Epilogue::bias,
         embedded_.data(), width);
  restore(scope, weights, maskings, tokens, kept.empty() ? last_.data() : kept[0].input.data());
  for (std::size_t i = 0; i < kept.size(); ++i)
    BlockStep(scope, weights.decoder_blocks[i], config.decoder, all_, kept[i])
        .forward(i + 1 < kept.size() ? kept[i + 1].input.data() : last_.data());
  // predicted = layer_norm(last) W' + b
  layer_norm(scope.engine, last_.data(), weights.decoder_norm.gamma.data(),
             weights.decoder_norm.beta.data(), config.eps, rows, width, normal_.data(), width);
  linear(scope.engine, normal_.data(), width, rows, weights.decoder_pred->matrix,
         weights.decoder_pred->bias.data(), Epilogue::bias, predicted_.data(), values);
  std::vector<float> losses(images.count);
  const auto measure = [&](std::size_t image) {
    const float* predicted = predicted_.data() + (image * all_ + 1) * values;
    std::vector<float> errors =
        patch_errors(config, images.part(image, 1), {predicted, patches * values});
    for (std::size_t i = 0; i < patches; ++i) errors[i] = errors[i] * maskings[image].mask[i];
    losses[image] = reference::sum(errors.data(), patches);
  };
  scope.engine.pool.run(images.count, measure);
  return losses;
}

void MaeStep::restore(const StepScope& scope, const VitWeights& weights,
                      const std::vector<Masking>& maskings, std::size_t tokens, float* x) const {
  const std::size_t width = scope.config.decoder.width;
  const auto place = [&](std::size_t image) {
    const float* from = embedded_.data() + image * tokens * width;
    float* to = x + image * all_ * width;
    std::copy_n(from, width, to);
    for (std::size_t patch = 0; patch + 1 < all_; ++patch) {
      const std::size_t at = maskings[image].restore[patch];
      const float* token = at + 1 < tokens ? from + (at + 1) * width : weights.mask_token.data();
      std::copy_n(token, width, to + (patch + 1) * width);
    }
    add_positions(weights.decoder_positions, to);
  };
  scope.engine.pool.run(scope.images, place);
}

/// embedded_ becomes its own gradient; the mask token's is summed over the removed patches, image
/// by image in their order.
void MaeStep::restore_back(const StepScope& scope, const float* dx,
                           const std::vector<Masking>& maskings, std::size_t tokens,
                           VitWeights& gradient) {
  const std::size_t width = scope.config.decoder.width;
  const std::size_t removed = all_ - tokens;
  removed_.reserve(scope.images * removed * width);
  const auto gather = [&](std::size_t image) {
    const float* from = dx + image * all_ * width;
    float* token = embedded_.data() + image * tokens * width;
    float* gone = removed_.data() + image * removed * width;
    std::copy_n(from, width, token);
    for (std::size_t patch = 0; patch + 1 < all_; ++patch) {
      from += width;
      const std::size_t at = maskings[image].restore[patch];
      if (at + 1 < tokens) {
        std::copy_n(from, width, token + (at + 1) * width);
      } else {
        std::copy_n(from, width, gone);
        gone += width;
      }
    }
  };
  scope.engine.pool.run(scope.images, gather);
  if (removed == 0) {
    std::ranges::fill(gradient.mask_token, 0.0F);
    return;
  }
  column_gradient(scope.engine, {removed_.data(), width}, {}, scope.rows(removed), width,
                  gradient.mask_token.data());
}

/// predicted_ becomes its own gradient.
void MaeStep::error_back(const StepScope& scope, const Images& images,
                         const std::vector<Masking>& maskings, float scale) {
  const std::size_t values = scope.config.patch_values();
  const auto differentiate = [&](std::size_t image) {
    std::vector<float> targets((all_ - 1) * values);
    patch_targets(scope.config, images, image, targets.data());
    float* row = predicted_.data() + image * all_ * values;
    std::fill_n(row, values, 0.0F);
    for (std::size_t patch = 0; patch + 1 < all_; ++patch) {
      row += values;
      const float* target = targets.data() + patch * values;
      const bool removed = maskings[image].mask[patch] > 0;
      for (std::size_t i = 0; i < values; ++i)
        row[i] = removed ? (row[i] - target[i]) * scale : 0.0F;
    }
  };
  scope.engine.pool.run(images.count, differentiate);
}

/// dx_ becomes the gradient of the decoder's last block.
void MaeStep::prediction_back(const StepScope& scope, const VitWeights& weights,
                              VitWeights& gradient) {
  const std::size_t width = scope.config.decoder.width;
  const std::size_t values = scope.config.patch_values();
  const LeafRows rows = scope.rows(all_);
  GradientWorkspace& workspace = scope.memory.gradient;
  const RowsOf dpredicted = {predicted_.data(), values};
  weight_gradient(scope.engine, dpredicted, {normal_.data(), width}, rows,
                  gradient.decoder_pred->matrix, workspace);
  column_gradient(scope.engine, dpredicted, {}, rows, values, gradient.decoder_pred->bias.data());
  input_gradient(scope.engine, dpredicted, rows.rows, weights.decoder_pred->matrix, normal_.data(),
                 width, workspace);
  std::fill_n(dx_.data(), rows.rows * width, 0.0F);
  layer_norm_back(scope.engine,
                  {.x = last_.data(),
                   .gamma = weights.decoder_norm.gamma.data(),
                   .dy = {normal_.data(), width},
                   .eps = scope.config.eps,
                   .width = width,
                   .dx = dx_.data(),
                   .dgamma = gradient.decoder_norm.gamma.data(),
                   .dbeta = gradient.decoder_norm.beta.data()},
                  rows, workspace);
}

void MaeStep::back(const StepScope& scope, const VitWeights& weights, const float* latent,
                   float* dlatent, std::size_t tokens, const Images& images,
                   const std::vector<Masking>& maskings, std::size_t global_images,
                   VitWeights& gradient, const BlockDone& done) {
  const VitConfig& config = scope.config;
  const std::size_t width = config.decoder.width;
  const std::size_t values = config.patch_values();
  GradientWorkspace& workspace = scope.memory.gradient;
  const double numbers = static_cast<double>(values) * static_cast<double>(all_ - tokens) *
                         static_cast<double>(global_images);
  error_back(scope, images, maskings, static_cast<float>(2.0 / numbers));
  prediction_back(scope, weights, gradient);
  // The blocks, from the last to the first.
  for (std::size_t i = weights.decoder_blocks.size(); i-- > 0;) {
    BlockStep(scope, weights.decoder_blocks[i], config.decoder, all_, scope.memory.decoder[i])
        .back(dx_.data(), gradient.decoder_blocks[i % gradient.decoder_blocks.size()]);
    if (done) done(true, i);
  }
  if (scope.learns_positions)
    column_gradient(scope.engine, {dx_.data(), all_ * width}, {}, {scope.images, scope.leaf},
                    all_ * width, gradient.decoder_positions.data());
  // The tokens, and the layer that embeds them.
  restore_back(scope, dx_.data(), maskings, tokens, gradient);
  const RowsOf dembedded = {embedded_.data(), width};
  const LeafRows kept = scope.rows(tokens);
  weight_gradient(scope.engine, dembedded, {latent, config.encoder.width}, kept,
                  gradient.decoder_embed->matrix, workspace);
  column_gradient(scope.engine, dembedded, {}, kept, width, gradient.decoder_embed->bias.data());
  input_gradient(scope.engine, dembedded, kept.rows, weights.decoder_embed->matrix, dlatent,
                 config.encoder.width, workspace);
}

}  // namespace samebits
