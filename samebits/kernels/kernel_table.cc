#include "samebits/kernels/kernel_table.h"

#include <cmath>

#include "samebits/kernels/backward_reference.h"

namespace samebits {

#if defined(__x86_64__)
extern const KernelTable kAvx2Kernels;
extern const KernelTable kAvx512Kernels;
#elif defined(__aarch64__)
extern const KernelTable kNeonKernels;
#endif

namespace {

void multiply_panel(const float* x, std::size_t x_stride, const float* tile, std::size_t rows,
                    std::size_t depth, bool add, float* out, std::size_t stride,
                    [[maybe_unused]] const float* soon) {
  for (std::size_t r = 0; r < rows; ++r) {
    float t[kTileColumns] = {};
    for (std::size_t k = 0; k < depth; ++k) {
      for (std::size_t c = 0; c < kTileColumns; ++c)
        t[c] = std::fma(x[r * x_stride + k], tile[k * kTileColumns + c], t[c]);
    }
    for (std::size_t c = 0; c < kTileColumns; ++c) {
      float* at = out + r * stride + c;
      *at = add ? *at + t[c] : t[c];
    }
  }
}

void finish_tile(Epilogue epilogue, const float* product, std::size_t product_stride,
                 const float* bias, const float* scale, std::size_t rows, std::size_t columns,
                 float* out, std::size_t stride) {
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      const float sum = product[r * product_stride + c] + bias[c];
      float& at = out[r * stride + c];
      switch (epilogue) {
        case Epilogue::bias: at = sum; break;
        case Epilogue::gelu: at = reference::gelu(sum); break;
        case Epilogue::gelu_tanh: at = reference::gelu_tanh(sum); break;
        case Epilogue::quick_gelu: at = reference::quick_gelu(sum); break;
        case Epilogue::silu: at = reference::silu(sum); break;
        case Epilogue::relu: at = reference::relu(sum); break;
        case Epilogue::residual: at = at + sum; break;
        case Epilogue::scaled: at = at + sum * scale[c]; break;
      }
    }
  }
}

void silu_gate(float* x, const float* up, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) x[i] = reference::silu(x[i]) * up[i];
}

void layer_norm_row(const float* x, const float* gamma, const float* beta, float eps, std::size_t n,
                    float* out) {
  reference::layer_norm(x, gamma, beta, eps, 1, n, out);
}

void scale_softmax(float* x, float scale, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) x[i] = x[i] * scale;
  reference::softmax(x, n);
}

void exp_row(float* x, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) x[i] = reference::exp(x[i]);
}

void erf_row(float* x, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) x[i] = reference::erf(x[i]);
}

void tanh_row(float* x, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) x[i] = reference::tanh(x[i]);
}

void activate_row(Epilogue activation, const float* x, std::size_t n, float* out) {
  constexpr float kNone = -0.0F;  // x + -0 is x, also for zeros
  for (std::size_t i = 0; i < n; ++i)
    finish_tile(activation, x + i, 0, &kNone, nullptr, 1, 1, out + i, 0);
}

void activation_back_row(Epilogue activation, const float* x, std::size_t n, float* gradient) {
  for (std::size_t i = 0; i < n; ++i)
    gradient[i] = gradient[i] * reference::slope(activation, x[i]);
}

void layer_norm_back_row(const float* x, const float* gamma, const float* dy, float eps,
                         std::size_t n, float* dx, float* normal) {
  reference::layer_norm_gradient(x, gamma, dy, eps, n, dx, normal);
}

void column_panel(const float* a, std::size_t a_stride, const float* b, std::size_t b_stride,
                  std::size_t rows, std::size_t columns, bool add, float* out) {
  for (std::size_t c = 0; c < columns; ++c) {
    float t = 0;
    for (std::size_t r = 0; r < rows; ++r)
      t = std::fma(a[r * a_stride + c], b == nullptr ? 1.0F : b[r * b_stride + c], t);
    out[c] = add ? out[c] + t : t;
  }
}

void add_row(const float* x, std::size_t n, float* into) {
  for (std::size_t i = 0; i < n; ++i) into[i] = into[i] + x[i];
}

constexpr KernelTable kScalarKernels = {.isa = Isa::scalar,
                                        .block_rows = 4,
                                        .multiply_panel = multiply_panel,
                                        .finish_tile = finish_tile,
                                        .silu_gate = silu_gate,
                                        .layer_norm_row = layer_norm_row,
                                        .scale_softmax = scale_softmax,
                                        .exp = exp_row,
                                        .erf = erf_row,
                                        .tanh = tanh_row,
                                        .activate = activate_row,
                                        .activation_back = activation_back_row,
                                        .layer_norm_back_row = layer_norm_back_row,
                                        .softmax_back_row = reference::softmax_gradient,
                                        .column_panel = column_panel,
                                        .add_row = add_row,
                                        .adamw = reference::adamw};

constexpr Isa kBuiltIsas[] = {Isa::scalar,
#if defined(__x86_64__)
                              Isa::avx2, Isa::avx512
#elif defined(__aarch64__)
                              Isa::neon
#endif
};

bool machine_has(Isa isa) {
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  if (isa == Isa::avx2) return avx2;
  if (isa == Isa::avx512) {
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
  }
#elif defined(__aarch64__)
  if (isa == Isa::neon) return true;
#endif
  return isa == Isa::scalar;
}

}  // namespace

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::scalar: return "scalar";
    case Isa::avx2: return "avx2";
    case Isa::avx512: return "avx512";
    case Isa::neon: return "neon";
  }
  return "";
}

std::span<const Isa> built_isas() { return kBuiltIsas; }

const KernelTable* kernel_table(Isa isa) {
  if (!machine_has(isa)) return nullptr;
#if defined(__x86_64__)
  if (isa == Isa::avx2) return &kAvx2Kernels;
  if (isa == Isa::avx512) return &kAvx512Kernels;
#elif defined(__aarch64__)
  if (isa == Isa::neon) return &kNeonKernels;
#endif
  return &kScalarKernels;
}

}  // namespace samebits
