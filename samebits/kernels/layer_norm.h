// Layer normalization of many rows.
#pragma once

#include <cstddef>

#include "samebits/kernels/linear.h"

namespace samebits {

/// out[r] = the normalized row r of x [rows, width]; reference::layer_norm() says how. The rows of
/// out are `out_stride` apart. x and out may be the same.
void layer_norm(const Engine& engine, const float* x, const float* gamma, const float* beta,
                float eps, std::size_t rows, std::size_t width, float* out, std::size_t out_stride);

}  // namespace samebits
