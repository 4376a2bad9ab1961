// Images as rows of patches, and a masked autoencoder's loss over them.
#pragma once

#include <span>
#include <vector>

#include "samebits/run/masking.h"
#include "samebits/run/positions.h"
#include "samebits/run/vit_config.h"

namespace samebits {

/// Images of one size.
struct Images {
  std::span<const float> values;  // [count, channels, height, width]
  std::size_t count = 0, height = 0, width = 0;

  std::size_t size() const { return values.size() / count; }  // of one, in elements
  Images part(std::size_t first, std::size_t images) const {
    return {values.subspan(first * size(), images * size()), images, height, width};
  }
};

/// Whole patches that fit; what is left at the right and below is not seen.
Grid patch_grid(const VitConfig& config, std::size_t height, std::size_t width);

/// Patches `which` of one image in the order of their convolution's kernel: row i is
/// [channels, patch height, patch width] of patch which[i], at out + i * patch_values().
void patch_rows(const VitConfig& config, const Images& images, std::size_t image,
                std::span<const std::size_t> which, float* out);

/// What a masked autoencoder is to predict of one image: [patches, patch height * patch width *
/// channels]; with norm_pix_loss each patch less its mean, over its deviation.
void patch_targets(const VitConfig& config, const Images& images, std::size_t image, float* out);

/// For every patch of every image the mean squared error of `predicted` [patches of all images,
/// patch height * patch width * channels] against its targets. Means by reference::sum().
std::vector<float> patch_errors(const VitConfig& config, const Images& images,
                                std::span<const float> predicted);

}  // namespace samebits
