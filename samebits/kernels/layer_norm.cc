#include "samebits/kernels/layer_norm.h"

#include <algorithm>

namespace samebits {

void layer_norm(const Engine& engine, const float* x, const float* gamma, const float* beta,
                float eps, std::size_t rows, std::size_t width, float* out,
                std::size_t out_stride) {
  constexpr std::size_t kRows = 32;  // that one item of work has
  engine.pool.run((rows + kRows - 1) / kRows, [&](std::size_t item) {
    const std::size_t last = std::min(rows, (item + 1) * kRows);
    for (std::size_t r = item * kRows; r < last; ++r)
      engine.kernels.layer_norm_row(x + r * width, gamma, beta, eps, width, out + r * out_stride);
  });
}

}  // namespace samebits
