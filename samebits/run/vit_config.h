// The numbers and choices that a ViT or ViT-MAE needs beside its weights.
//
// What the weights' shapes tell is taken from them; the rest from the config, and never guessed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "samebits/base/json.h"
#include "samebits/family/activations.h"
#include "samebits/family/points.h"
#include "samebits/model/recognize.h"
#include "samebits/run/positions.h"

namespace samebits {

struct VitStack {
  std::size_t width = 0, layers = 0, heads = 0, mlp = 0;
  bool gated = false;  // SwiGLU of `mlp` pairs instead of gelu

  bool operator==(const VitStack&) const = default;
};

struct VitConfig {
  std::size_t image_height = 0, image_width = 0, patch_height = 0, patch_width = 0, channels = 0;
  VitStack encoder, decoder;  // the decoder of a masked autoencoder; no layers elsewhere
  float eps = 0;              // of every layer norm
  Activation activation = Activation::gelu;
  bool masked = false;    // a masked autoencoder: it needs noise
  double mask_ratio = 0;  // masked autoencoders only
  bool norm_pix_loss = false;
  bool distilled = false;        // a distillation token behind the class token
  std::size_t registers = 0;     // tokens behind the class token that have no position
  bool mean_of_patches = false;  // the classifier sees the class token and the patches' mean
  double hidden_dropout = 0, attention_dropout = 0;  // probabilities in training mode
  bool embedding_dropout = false;                    // behind the embeddings too
  const char* no_training = nullptr;                 // why training mode is not covered
  Resampling resampling = Resampling::refused;
  PointNames names;

  bool operator==(const VitConfig&) const = default;

  /// Tokens in front of the patches that have a position.
  std::size_t positioned() const { return distilled ? 2 : 1; }

  std::size_t patches() const {
    return (image_height / patch_height) * (image_width / patch_width);
  }
  std::size_t patch_values() const { return channels * patch_height * patch_width; }
};

/// `found` as recognize() read the weights. Errors: usage where there is no config and the weights
/// do not tell (the number of heads, eps), unsupported for an activation or a class that run does
/// not know, malformed and inconsistent for fields that cannot be.
Result<VitConfig> vit_config(const model::Recognition& found, const Json& config);

}  // namespace samebits
