#include "samebits/run/masking.h"

#include <algorithm>
#include <numeric>

namespace samebits {

std::size_t kept_patches(std::size_t patches, double mask_ratio) {
  return static_cast<std::size_t>(static_cast<double>(patches) * (1 - mask_ratio));
}

Masking random_masking(std::span<const float> noise, double mask_ratio) {
  const std::size_t patches = noise.size();
  std::vector<std::size_t> shuffled(patches);
  std::iota(shuffled.begin(), shuffled.end(), std::size_t{0});
  std::sort(shuffled.begin(), shuffled.end(), [&](std::size_t x, std::size_t y) {
    return noise[x] != noise[y] ? noise[x] < noise[y] : x < y;
  });
  Masking masking;
  for (std::size_t i = 1; i < patches; ++i)
    masking.tied = masking.tied || noise[shuffled[i]] == noise[shuffled[i - 1]];
  const std::size_t keep = kept_patches(patches, mask_ratio);
  masking.kept.assign(shuffled.begin(), shuffled.begin() + static_cast<std::ptrdiff_t>(keep));
  masking.restore.resize(patches);
  masking.mask.resize(patches);
  for (std::size_t i = 0; i < patches; ++i) {
    masking.restore[shuffled[i]] = i;
    masking.mask[shuffled[i]] = i < keep ? 0.0F : 1.0F;
  }
  return masking;
}

}  // namespace samebits
