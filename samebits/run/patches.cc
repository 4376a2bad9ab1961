#include "samebits/run/patches.h"

#include <cmath>
#include <cstring>
#include <numeric>

#include "samebits/kernels/reference.h"

namespace samebits {
namespace {

// (t - mean) / sqrt(unbiased variance + 1e-6)
void normalize_patch(float* t, std::size_t count) {
  const float mean = reference::sum(t, count) / static_cast<float>(count);
  std::vector<float> squares(count);
  for (std::size_t i = 0; i < count; ++i) squares[i] = (t[i] - mean) * (t[i] - mean);
  const float variance = reference::sum(squares.data(), count) / static_cast<float>(count - 1);
  const float deviation = std::sqrt(variance + 1e-6F);
  for (std::size_t i = 0; i < count; ++i) t[i] = (t[i] - mean) / deviation;
}

float mean_square(const float* x, const float* y, std::size_t count) {
  std::vector<float> squares(count);
  for (std::size_t i = 0; i < count; ++i) {
    const float d = x[i] - y[i];
    squares[i] = d * d;
  }
  return reference::sum(squares.data(), count) / static_cast<float>(count);
}

}  // namespace

Grid patch_grid(const VitConfig& config, std::size_t height, std::size_t width) {
  return {height / config.patch_height, width / config.patch_width};
}

void patch_rows(const VitConfig& config, const Images& images, std::size_t image,
                std::span<const std::size_t> which, float* out) {
  const std::size_t across = images.width / config.patch_width;
  for (const std::size_t patch : which) {
    for (std::size_t c = 0; c < config.channels; ++c) {
      for (std::size_t y = 0; y < config.patch_height; ++y) {
        const std::size_t line = (image * config.channels + c) * images.height +
                                 patch / across * config.patch_height + y;
        const float* from =
            images.values.data() + line * images.width + patch % across * config.patch_width;
        std::memcpy(out, from, config.patch_width * sizeof(float));
        out += config.patch_width;
      }
    }
  }
}

void patch_targets(const VitConfig& config, const Images& images, std::size_t image, float* out) {
  const std::size_t values = config.patch_values();
  const std::size_t area = config.patch_height * config.patch_width;
  std::vector<std::size_t> all(patch_grid(config, images.height, images.width).cells());
  std::iota(all.begin(), all.end(), std::size_t{0});
  std::vector<float> rows(all.size() * values);
  patch_rows(config, images, image, all, rows.data());
  for (std::size_t row = 0; row < rows.size(); row += values) {
    float* target = out + row;
    for (std::size_t c = 0; c < config.channels; ++c) {
      for (std::size_t i = 0; i < area; ++i)
        target[i * config.channels + c] = rows[row + c * area + i];
    }
    if (config.norm_pix_loss) normalize_patch(target, values);
  }
}

std::vector<float> patch_errors(const VitConfig& config, const Images& images,
                                std::span<const float> predicted) {
  const std::size_t values = config.patch_values();
  std::vector<float> targets(patch_grid(config, images.height, images.width).cells() * values);
  std::vector<float> errors;
  for (std::size_t image = 0; image < images.count; ++image) {
    patch_targets(config, images, image, targets.data());
    for (std::size_t row = 0; row < targets.size(); row += values)
      errors.push_back(
          mean_square(predicted.data() + errors.size() * values, targets.data() + row, values));
  }
  return errors;
}

}  // namespace samebits
