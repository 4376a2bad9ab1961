// The tokens of a training step: patches of the images with their positions, and what stands in
// front of them. Forward as in run/vit_forward.h, and back.
#pragma once

#include <vector>

#include "samebits/run/patches.h"
#include "samebits/train/block_step.h"

namespace samebits {

class EmbedStep {
 public:
  /// `maskings` holds one of each image, or nothing where every patch is kept.
  void forward(const StepScope& scope, const VitWeights& weights, const Images& images,
               const std::vector<Masking>& maskings, float* x);
  /// `dx` [images * tokens, width] is the gradient of the tokens. Positions get one where
  /// scope.learns_positions; a patch that was removed adds nothing to its own.
  void back(const StepScope& scope, float* dx, const std::vector<Masking>& maskings,
            VitWeights& gradient);

  std::size_t tokens() const { return front_ + kept_; }

 private:
  void masked_positions_back(const StepScope& scope, const float* dx,
                             const std::vector<Masking>& maskings, float* out) const;

  std::size_t front_ = 0, kept_ = 0;  // of an image: before its patches, and its patches
  AlignedFloats rows_, dense_;        // [images * kept, patch values], [images * kept, width]
  std::vector<float> factors_;        // of dropout
};

}  // namespace samebits
