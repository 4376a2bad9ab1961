// A batch norm that was folded into the layer in front of it: the weight times gamma / sqrt(var +
// eps), the bias as eval mode makes it.
//
// Source: torch 2.13.0, nn/utils/fusion.py (fuse_conv_bn_weights, fuse_linear_bn_weights). Does not
// do: norms in front of a layer, and several branches that were made one (RepVGG).
#pragma once

#include <optional>

#include "samebits/tensor/tensor.h"

namespace samebits {

/// A layer and the norm behind it. The norm's weight and bias, and the layer's bias, may be absent.
struct NormedLayer {
  const TensorView* weight = nullptr;
  const TensorView* bias = nullptr;
  const TensorView* gamma = nullptr;
  const TensorView* beta = nullptr;
  const TensorView* mean = nullptr;
  const TensorView* variance = nullptr;
};

struct FoldedFit {
  double eps = 0;
  /// Largest distance of an element from what was computed in double precision, in units of the
  /// rounding of a few operations in the folded weights' type.
  double distance = 0;
};

/// Whether `weight` and `bias` are the layer with its norm folded in, for one of the values of eps
/// that libraries use: 1e-5 (torch, timm), 1e-3 (models from TensorFlow, ultralytics), 1e-6, 1e-4.
/// Of a convolution or linear layer by the first dimension, of a transposed one by the second.
/// Nothing where it is not so, or where the shapes do not fit.
std::optional<FoldedFit> fit_folded(const NormedLayer& layer, const TensorView& weight,
                                    const TensorView& bias);

}  // namespace samebits
