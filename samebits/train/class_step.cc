#include "samebits/train/class_step.h"

#include <algorithm>

#include "samebits/base/error.h"

namespace samebits {
namespace {

std::size_t front_tokens(const VitConfig& config) { return config.positioned() + config.registers; }

/// What the classifier reads of one image: the class token, and where the model is so the mean of
/// the patches, each number of which is the sum() over the tokens divided by their number.
void see(const VitConfig& config, const float* hidden, std::size_t tokens, float* seen) {
  const std::size_t width = config.encoder.width;
  std::copy_n(hidden, width, seen);
  if (!config.mean_of_patches) return;
  const std::size_t front = front_tokens(config);
  std::vector<float> column(tokens - front);
  for (std::size_t d = 0; d < width; ++d) {
    for (std::size_t i = 0; i < column.size(); ++i) column[i] = hidden[(front + i) * width + d];
    seen[width + d] =
        reference::sum(column.data(), column.size()) / static_cast<float>(column.size());
  }
}

}  // namespace

float cross_entropy(std::span<const float> logits, std::size_t label, float scale,
                    std::span<float> gradient) {
  SAMEBITS_CHECK(label < logits.size() && gradient.size() == logits.size());
  float largest = logits[0];
  for (const float each : logits) largest = each > largest || each != each ? each : largest;
  for (std::size_t i = 0; i < logits.size(); ++i) gradient[i] = reference::exp(logits[i] - largest);
  const float total = reference::sum(gradient.data(), gradient.size());
  for (float& each : gradient) each = each / total * scale;
  const float chosen = reference::exp(logits[label] - largest) / total;
  gradient[label] = (chosen - 1) * scale;
  return reference::log(total) + (largest - logits[label]);
}

std::vector<float> ClassStep::forward(const StepScope& scope, const VitWeights& weights,
                                      const float* hidden, std::size_t tokens,
                                      std::span<const std::int64_t> labels,
                                      std::size_t global_images) {
  const VitConfig& config = scope.config;
  const LinearWeights& layer = *weights.classifier;
  const std::size_t depth = layer.matrix.depth();
  const std::size_t classes = layer.matrix.columns();
  seen_.resize(scope.images * depth);
  logits_.resize(scope.images * classes);
  dlogits_.resize(logits_.size());
  for (std::size_t image = 0; image < scope.images; ++image)
    see(config, hidden + image * tokens * config.encoder.width, tokens,
        seen_.data() + image * depth);
  linear(scope.engine, seen_.data(), depth, scope.images, layer.matrix, layer.bias.data(),
         Epilogue::bias, logits_.data(), classes);
  const auto scale = static_cast<float>(1.0 / static_cast<double>(global_images));
  std::vector<float> losses;
  for (std::size_t image = 0; image < scope.images; ++image)
    losses.push_back(cross_entropy(std::span(logits_).subspan(image * classes, classes),
                                   static_cast<std::size_t>(labels[image]), scale,
                                   std::span(dlogits_).subspan(image * classes, classes)));
  return losses;
}

void ClassStep::back(const StepScope& scope, const VitWeights& weights, float* dhidden,
                     std::size_t tokens, VitWeights& gradient) {
  const VitConfig& config = scope.config;
  const std::size_t width = config.encoder.width;
  const std::size_t classes = weights.classifier->matrix.columns();
  const std::size_t depth = weights.classifier->matrix.depth();
  const RowsOf dlogits = {dlogits_.data(), classes};
  const LeafRows images{scope.images, scope.leaf};
  weight_gradient(scope.engine, dlogits, {seen_.data(), depth}, images, gradient.classifier->matrix,
                  scope.memory.gradient);
  column_gradient(scope.engine, dlogits, {}, images, classes, gradient.classifier->bias.data());
  dseen_.resize(scope.images * depth);
  input_gradient(scope.engine, dlogits, scope.images, weights.classifier->matrix, dseen_.data(),
                 depth, scope.memory.gradient);
  std::fill_n(dhidden, scope.images * tokens * width, 0.0F);
  for (std::size_t image = 0; image < scope.images; ++image) {
    const float* from = dseen_.data() + image * depth;
    float* to = dhidden + image * tokens * width;
    std::copy_n(from, width, to);
    if (!config.mean_of_patches) continue;
    const std::size_t front = front_tokens(config);
    for (std::size_t token = front; token < tokens; ++token) {
      for (std::size_t d = 0; d < width; ++d)
        to[token * width + d] = from[width + d] / static_cast<float>(tokens - front);
    }
  }
}

}  // namespace samebits
