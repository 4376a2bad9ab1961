// A classifier's head in a training step: logits, cross entropy, and back.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "samebits/train/block_step.h"

namespace samebits {

/// loss = log(sum(exp(logits - largest))) + (largest - logits[label]), with sum() and log() of the
/// references; `gradient` becomes (softmax(logits) - 1 at the label) * scale. Requires a label of
/// one of the classes.
float cross_entropy(std::span<const float> logits, std::size_t label, float scale,
                    std::span<float> gradient);

class ClassStep {
 public:
  /// `hidden` [images * tokens, width] is the encoder's output. The loss of each image.
  std::vector<float> forward(const StepScope& scope, const VitWeights& weights, const float* hidden,
                             std::size_t tokens, std::span<const std::int64_t> labels,
                             std::size_t global_images);
  /// `dhidden` is overwritten with the gradient of `hidden`.
  void back(const StepScope& scope, const VitWeights& weights, float* dhidden, std::size_t tokens,
            VitWeights& gradient);

  const std::vector<float>& logits() const { return logits_; }

 private:
  std::vector<float> seen_, logits_, dlogits_, dseen_;  // seen: what the classifier reads
};

}  // namespace samebits
