#include "samebits/kernels/layer_norm.h"

#include "samebits/kernels/work.h"

namespace samebits {

void layer_norm(const Engine& engine, const float* x, const float* gamma, const float* beta,
                float eps, std::size_t rows, std::size_t width, float* out,
                std::size_t out_stride) {
  constexpr std::size_t kSteps = 8;  // that an element takes, counted in multiply-adds of a product
  const auto normalize = [&](std::size_t r) {
    engine.kernels.layer_norm_row(x + r * width, gamma, beta, eps, width, out + r * out_stride);
  };
  engine.pool.run(rows, normalize, items_of_a_piece(kSteps * width));
}

}  // namespace samebits
