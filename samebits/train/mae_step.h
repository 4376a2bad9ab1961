// The decoder of a masked autoencoder in a training step: the pixels that it predicts, their error,
// and back. Forward as in run/vit_forward.h.
#pragma once

#include <vector>

#include "samebits/run/patches.h"
#include "samebits/train/block_step.h"

namespace samebits {

class MaeStep {
 public:
  /// `latent` [images * tokens, width] is the encoder's output. Of each image the sum of the errors
  /// of its removed patches, by reference::sum().
  std::vector<float> forward(const StepScope& scope, const VitWeights& weights, const float* latent,
                             std::size_t tokens, const Images& images,
                             const std::vector<Masking>& maskings);
  /// `done` is ModelStep::back()'s. `dlatent` is overwritten with the gradient of `latent`. The
  /// gradient of a predicted number of a removed patch is (predicted - target) * scale, of others
  /// 0, and of the class token's row 0; `scale` is 2 / (numbers of a patch * removed patches of the
  /// global batch), in double, rounded.
  void back(const StepScope& scope, const VitWeights& weights, const float* latent, float* dlatent,
            std::size_t tokens, const Images& images, const std::vector<Masking>& maskings,
            std::size_t global_images, VitWeights& gradient, const BlockDone& done);

  const AlignedFloats& output() const { return last_; }  // of the decoder's blocks

 private:
  void restore(const StepScope& scope, const VitWeights& weights,
               const std::vector<Masking>& maskings, std::size_t tokens, float* x) const;
  void restore_back(const StepScope& scope, const float* dx, const std::vector<Masking>& maskings,
                    std::size_t tokens, VitWeights& gradient);
  void prediction_back(const StepScope& scope, const VitWeights& weights, VitWeights& gradient);
  void error_back(const StepScope& scope, const Images& images,
                  const std::vector<Masking>& maskings, float scale);

  std::size_t all_ = 0;  // tokens of an image: the class token and the patches
  AlignedFloats embedded_, last_, normal_, predicted_, dx_, removed_;
};

}  // namespace samebits
