// Which patches a masked autoencoder keeps.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace samebits {

struct Masking {
  std::vector<std::size_t> kept;     // patches, in the order in which they enter the encoder
  std::vector<std::size_t> restore;  // ids_restore: where each patch stands among the shuffled
  std::vector<float> mask;           // 0 for kept patches, 1 for removed ones
  bool tied = false;                 // two patches have the same noise
};

/// How many patches are kept.
std::size_t kept_patches(std::size_t patches, double mask_ratio);

/// Requires numbers. argsort(noise) of one image, stable; its first
/// int(patches * (1 - mask_ratio)) are kept. Source: random_masking() of transformers'
/// models/vit_mae.
Masking random_masking(std::span<const float> noise, double mask_ratio);

}  // namespace samebits
