// The numbers and choices that a ViT or ViT-MAE needs beside its weights.
//
// What the weights' shapes tell is taken from them; the rest from the config, and never guessed.
#pragma once

#include <cstddef>
#include <optional>

#include "samebits/base/json.h"
#include "samebits/model/recognize.h"

namespace samebits {

struct VitStack {
  std::size_t width = 0, layers = 0, heads = 0, mlp = 0;
  bool gated = false;  // SwiGLU of `mlp` pairs instead of gelu
};

struct VitConfig {
  std::size_t image_height = 0, image_width = 0, patch_height = 0, patch_width = 0, channels = 0;
  VitStack encoder, decoder;  // the decoder of a masked autoencoder; no layers elsewhere
  float eps = 0;              // of every layer norm
  bool masked = false;        // a masked autoencoder: it needs noise
  double mask_ratio = 0;      // masked autoencoders only
  bool norm_pix_loss = false;
  bool distilled = false;        // a distillation token behind the class token
  std::size_t registers = 0;     // tokens behind the class token that have no position
  bool mean_of_patches = false;  // the classifier sees the class token and the patches' mean

  /// Tokens in front of the patches that have a position.
  std::size_t positioned() const { return distilled ? 2 : 1; }

  std::size_t patches() const {
    return (image_height / patch_height) * (image_width / patch_width);
  }
  std::size_t patch_values() const { return channels * patch_height * patch_width; }
};

/// `found` as recognize() read the weights. Errors: usage where there is no config and the weights
/// do not tell (the number of heads, eps), unsupported for an activation other than gelu and for a
/// class that run does not know, malformed and inconsistent for fields that cannot be.
Result<VitConfig> vit_config(const model::Recognition& found, const Json& config);

}  // namespace samebits
