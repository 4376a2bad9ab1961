#include "samebits/train/embed_step.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "samebits/rng/distributions.h"

namespace samebits {
namespace {

/// into = into + from
void add_floats(const float* from, std::size_t count, float* into) {
  for (std::size_t i = 0; i < count; ++i) into[i] = into[i] + from[i];
}

/// Class token, distillation token, registers, the first two with their positions.
std::vector<float> front_of(const VitWeights& weights) {
  std::vector<float> tokens = weights.class_token;
  tokens.insert(tokens.end(), weights.distillation_token.begin(), weights.distillation_token.end());
  add_floats(weights.positions.data(), tokens.size(), tokens.data());
  tokens.insert(tokens.end(), weights.registers.begin(), weights.registers.end());
  return tokens;
}

}  // namespace

void EmbedStep::forward(const StepScope& scope, const VitWeights& weights, const Images& images,
                        const std::vector<Masking>& maskings, float* x) {
  const VitConfig& config = scope.config;
  const std::size_t width = config.encoder.width;
  const std::size_t values = config.patch_values();
  std::vector<std::size_t> all(patch_grid(config, images.height, images.width).cells());
  std::iota(all.begin(), all.end(), std::size_t{0});
  const auto which = [&](std::size_t image) {
    return std::span<const std::size_t>(maskings.empty() ? all : maskings[image].kept);
  };
  front_ = config.positioned() + config.registers;
  kept_ = which(0).size();
  rows_.reserve(images.count * kept_ * values);
  dense_.reserve(images.count * kept_ * width);
  // Patches as rows, then x W' + b.
  const auto gather = [&](std::size_t image) {
    patch_rows(config, images, image, which(image), rows_.data() + image * kept_ * values);
  };
  scope.engine.pool.run(images.count, gather);
  linear(scope.engine, rows_.data(), values, images.count * kept_, weights.patches.matrix,
         weights.patches.bias.data(), Epilogue::bias, dense_.data(), width);
  // Tokens and positions.
  const std::vector<float> front = front_of(weights);
  const float* positions = weights.positions.data() + config.positioned() * width;
  const auto place = [&](std::size_t image) {
    float* to = x + image * tokens() * width;
    std::copy(front.begin(), front.end(), to);
    to += front.size();
    std::copy_n(dense_.data() + image * kept_ * width, kept_ * width, to);
    for (std::size_t i = 0; i < kept_; ++i)
      add_floats(positions + which(image)[i] * width, width, to + i * width);
  };
  scope.engine.pool.run(images.count, place);
  factors_.clear();
  if (!config.embedding_dropout || config.hidden_dropout == 0) return;
  factors_.resize(images.count * tokens() * width);
  scope.dropout(config.hidden_dropout, factors_);
  for (std::size_t i = 0; i < factors_.size(); ++i) x[i] = x[i] * factors_[i];
}

/// Every patch's gradient at its own position, zeros where it was removed; then the sum over
/// images.
void EmbedStep::masked_positions_back(const StepScope& scope, const float* dx,
                                      const std::vector<Masking>& maskings, float* out) const {
  const std::size_t width = scope.config.encoder.width;
  const std::size_t size = maskings[0].mask.size() * width;
  std::vector<float> placed(scope.images * size, 0.0F);
  for (std::size_t image = 0; image < scope.images; ++image) {
    const float* from = dx + (image * tokens() + front_) * width;
    for (const std::size_t patch : maskings[image].kept) {
      std::copy_n(from, width, placed.data() + image * size + patch * width);
      from += width;
    }
  }
  column_gradient(scope.engine, {placed.data(), size}, {}, {scope.images, scope.leaf}, size, out);
}

void EmbedStep::back(const StepScope& scope, float* dx, const std::vector<Masking>& maskings,
                     VitWeights& gradient) {
  const VitConfig& config = scope.config;
  const std::size_t width = config.encoder.width;
  const std::size_t image_size = tokens() * width;
  for (std::size_t i = 0; i < factors_.size(); ++i) dx[i] = dx[i] * factors_[i];
  // Of every token the sum over images.
  const LeafRows images{scope.images, scope.leaf};
  std::vector<float> sums(image_size);
  column_gradient(scope.engine, {dx, image_size}, {}, images, image_size, sums.data());
  const auto first = sums.begin();
  const auto class_end = first + static_cast<std::ptrdiff_t>(width);
  const auto positioned_end = first + static_cast<std::ptrdiff_t>(config.positioned() * width);
  const auto front_end = first + static_cast<std::ptrdiff_t>(front_ * width);
  std::copy(first, class_end, gradient.class_token.begin());
  std::copy(class_end, positioned_end, gradient.distillation_token.begin());
  std::copy(positioned_end, front_end, gradient.registers.begin());
  if (scope.learns_positions) {
    float* patches = std::copy(first, positioned_end, gradient.positions.data());
    if (config.masked)
      masked_positions_back(scope, dx, maskings, patches);
    else
      std::copy(front_end, sums.end(), patches);
  }
  // Of the projection, over the patches alone, where any was kept.
  if (kept_ == 0) {
    PackedMatrix& matrix = gradient.patches.matrix;
    std::fill_n(matrix.tile(0), matrix.tiles() * kTileColumns * matrix.depth(), 0.0F);
    std::ranges::fill(gradient.patches.bias, 0.0F);
    return;
  }
  const auto gather = [&](std::size_t image) {
    std::copy_n(dx + image * image_size + front_ * width, kept_ * width,
                dense_.data() + image * kept_ * width);
  };
  scope.engine.pool.run(scope.images, gather);
  const LeafRows patches = scope.rows(kept_);
  weight_gradient(scope.engine, {dense_.data(), width}, {rows_.data(), config.patch_values()},
                  patches, gradient.patches.matrix, scope.memory.gradient);
  column_gradient(scope.engine, {dense_.data(), width}, {}, patches, width,
                  gradient.patches.bias.data());
}

}  // namespace samebits
