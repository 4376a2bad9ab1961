// The body of every vector instruction set's kernels: included once by each kernels_*.cc, compiled
// there for that target alone. Everything is in an unnamed namespace or in Highway's namespace of
// the target, so that no function compiled for one machine is ever linked into the code for
// another.
//
// Highway: static dispatch, one vector of `Lanes(d)` floats.
#define HWY_COMPILE_ONLY_STATIC
#include <hwy/highway.h>

#include "samebits/kernels/kernel_table.h"
#include "samebits/kernels/polynomials.h"

namespace samebits {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using I = hn::RebindToSigned<D>;
using V = hn::Vec<D>;
constexpr D kD;
constexpr I kI;
constexpr std::size_t kLanes = HWY_LANES(float);
constexpr std::size_t kVectors = kTileColumns / kLanes;  // of a row of a tile
constexpr std::size_t kPartialVectors = 16 / kLanes;     // that hold the partials of a sum
static_assert(kLanes <= 16 && 16 % kLanes == 0, "sums have sixteen partials");

// ---- matrix product

// Three rows share a pointer: an address is a pointer plus 0, 1 or 2 strides, and five pointers fit
// into registers.
template <std::size_t kRows>
void multiply_block(const float* x, std::size_t x_stride, const float* tile, std::size_t depth,
                    bool add, float* out, std::size_t stride, const float* soon) {
  constexpr std::size_t kPointers = (kRows + 2) / 3;
  const float* rows[kPointers];
#pragma GCC unroll 16
  for (std::size_t p = 0; p < kPointers; ++p) rows[p] = x + 3 * p * x_stride;
  V t[kRows][kVectors];
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (std::size_t v = 0; v < kVectors; ++v) t[r][v] = hn::Zero(kD);
  }
  for (std::size_t k = 0; k < depth; ++k) {
    V w[kVectors];
    __builtin_prefetch(tile + (k + 12) * kTileColumns, 0, 3);
    __builtin_prefetch(tile + (k + 12) * kTileColumns + 16, 0, 3);
#pragma GCC unroll 16
    for (std::size_t v = 0; v < kVectors; ++v)
      w[v] = hn::LoadU(kD, tile + k * kTileColumns + v * kLanes);
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
      const V each = hn::Set(kD, rows[r / 3][r % 3 * x_stride]);
#pragma GCC unroll 16
      for (std::size_t v = 0; v < kVectors; ++v) t[r][v] = hn::MulAdd(each, w[v], t[r][v]);
    }
#pragma GCC unroll 16
    for (std::size_t p = 0; p < kPointers; ++p) ++rows[p];
    if (k % kFetchEvery == 0) {
      __builtin_prefetch(soon, 0, 2);
      soon += kTileColumns / 2;
    }
  }
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (std::size_t v = 0; v < kVectors; ++v) {
      float* at = out + r * stride + v * kLanes;
      hn::StoreU(add ? hn::Add(hn::LoadU(kD, at), t[r][v]) : t[r][v], kD, at);
    }
  }
}

template <std::size_t kRows>
void multiply_rows(const float* x, std::size_t x_stride, const float* tile, std::size_t rows,
                   std::size_t depth, bool add, float* out, std::size_t stride, const float* soon) {
  if constexpr (kRows > 0) {
    if (rows == kRows)
      return multiply_block<kRows>(x, x_stride, tile, depth, add, out, stride, soon);
    multiply_rows<kRows - 1>(x, x_stride, tile, rows, depth, add, out, stride, soon);
  }
}

void multiply_panel(const float* x, std::size_t x_stride, const float* tile, std::size_t rows,
                    std::size_t depth, bool add, float* out, std::size_t stride,
                    const float* soon) {
  multiply_rows<SAMEBITS_BLOCK_ROWS>(x, x_stride, tile, rows, depth, add, out, stride, soon);
}

// ---- elementary functions

template <std::size_t N>
HWY_INLINE V polynomial(const std::array<float, N>& coefficients, V x) {
  V y = hn::Set(kD, coefficients[N - 1]);
  for (std::size_t i = N - 1; i-- > 0;) y = hn::MulAdd(y, x, hn::Set(kD, coefficients[i]));
  return y;
}

HWY_INLINE V power_of_two(hn::Vec<I> n) {
  return hn::BitCast(kD, hn::ShiftLeft<23>(hn::Add(n, hn::Set(kI, 127))));
}

// exp(x) = power * 2^n
struct Split {
  V power;
  hn::Vec<I> n;
};

HWY_INLINE Split split_exp(V x) {
  const V round = hn::Set(kD, kRound);
  const V shifted = hn::MulAdd(x, hn::Set(kD, kLog2E), round);
  const V whole = hn::Sub(shifted, round);
  V r = hn::MulAdd(whole, hn::Set(kD, -kLn2High), x);
  r = hn::MulAdd(whole, hn::Set(kD, -kLn2Low), r);
  const V power = hn::Add(hn::MulAdd(hn::Mul(r, r), polynomial(kExp, r), r), hn::Set(kD, 1.0F));
  return {power, hn::Sub(hn::BitCast(kI, shifted), hn::BitCast(kI, round))};
}

// exp(x) where its result is a normal number.
HWY_INLINE V exp_normal(V x) {
  const Split e = split_exp(x);
  return hn::Mul(e.power, power_of_two(e.n));
}

// exp(x) for x <= kExpHighest, and NaN.
HWY_INLINE V exp_finite(V x) {
  const Split e = split_exp(x);
  const auto half = hn::ShiftRight<1>(e.n);
  const V result = hn::Mul(hn::Mul(e.power, power_of_two(half)), power_of_two(hn::Sub(e.n, half)));
  return hn::IfThenElse(hn::Lt(x, hn::Set(kD, kExpLowest)), hn::Zero(kD), result);
}

HWY_INLINE V exp_of(V x) {
  const V infinite = hn::Set(kD, __builtin_inff());
  return hn::IfThenElse(hn::Gt(x, hn::Set(kD, kExpHighest)), infinite, exp_finite(x));
}

// A NaN is never greater: it goes through the polynomial.
HWY_INLINE V erf_of(V x) {
  const V size = hn::Abs(x);
  const V small = hn::MulAdd(x, polynomial(kErfSmall, hn::Mul(x, x)), x);
  const V at = hn::Min(size, hn::Set(kD, kErfOne));
  const V tail = hn::Sub(hn::Set(kD, 1.0F), exp_normal(polynomial(kErfLarge, at)));
  return hn::IfThenElse(hn::Ge(size, hn::Set(kD, kErfSplit)), hn::CopySign(tail, x), small);
}

HWY_INLINE V tanh_of(V x) {
  const V size = hn::Abs(x);
  const V one = hn::Set(kD, 1.0F);
  const V small = hn::CopySign(hn::MulAdd(x, polynomial(kTanhSmall, hn::Mul(x, x)), x), x);
  const V at = hn::Min(size, hn::Set(kD, kTanhOne));
  const V power = exp_normal(hn::Add(at, at));
  V tail = hn::Sub(one, hn::Div(hn::Set(kD, 2.0F), hn::Add(power, one)));
  tail = hn::IfThenElse(hn::Ge(size, hn::Set(kD, kTanhOne)), one, tail);
  return hn::IfThenElse(hn::Ge(size, hn::Set(kD, kTanhSplit)), hn::CopySign(tail, x), small);
}

HWY_INLINE V gelu_of(V x) {
  const V factor = hn::Add(hn::Set(kD, 1.0F), erf_of(hn::Mul(x, hn::Set(kD, kInverseSqrt2))));
  return hn::Mul(hn::Mul(hn::Set(kD, 0.5F), x), factor);
}

HWY_INLINE V gelu_tanh_of(V x) {
  const V cubic = hn::MulAdd(hn::Set(kD, kGeluCubic), hn::Mul(hn::Mul(x, x), x), x);
  const V factor = hn::Add(hn::Set(kD, 1.0F), tanh_of(hn::Mul(hn::Set(kD, kSqrt2OverPi), cubic)));
  return hn::Mul(hn::Mul(hn::Set(kD, 0.5F), x), factor);
}

HWY_INLINE V silu_of(V x) { return hn::Div(x, hn::Add(hn::Set(kD, 1.0F), exp_of(hn::Neg(x)))); }

HWY_INLINE V quick_gelu_of(V x) {
  const V power = exp_of(hn::Neg(hn::Mul(hn::Set(kD, kQuickGelu), x)));
  return hn::Div(x, hn::Add(hn::Set(kD, 1.0F), power));
}

HWY_INLINE V relu_of(V x) {
  return hn::IfThenElse(hn::Or(hn::Gt(x, hn::Zero(kD)), hn::IsNaN(x)), x, hn::Zero(kD));
}

// ---- rows

// Elements [i, i + kLanes) of a row of n, zeros behind its end.
HWY_INLINE V load_part(const float* x, std::size_t i, std::size_t n) {
  if (i + kLanes <= n) return hn::LoadU(kD, x + i);
#if HWY_MEM_OPS_MIGHT_FAULT
  HWY_ALIGN float rest[kLanes] = {};
  for (std::size_t j = i; j < n; ++j) rest[j - i] = x[j];
  return hn::Load(kD, rest);
#else
  return hn::MaskedLoad(hn::FirstN(kD, n - i), kD, x + i);
#endif
}

// Elements [i, i + kLanes) of a row of n as far as they are in it.
HWY_INLINE void store_part(V v, std::size_t i, std::size_t n, float* x) {
  if (i + kLanes <= n) return hn::StoreU(v, kD, x + i);
#if HWY_MEM_OPS_MIGHT_FAULT
  HWY_ALIGN float rest[kLanes];
  hn::Store(v, kD, rest);
  for (std::size_t j = i; j < n; ++j) x[j] = rest[j - i];
#else
  hn::BlendedStore(v, hn::FirstN(kD, n - i), kD, x + i);
#endif
}

// x = f(vector, index), vector by vector; the last one is filled with zeros.
template <class Function>
HWY_INLINE void map_row(float* x, std::size_t n, Function f) {
  for (std::size_t i = 0; i < n; i += kLanes) store_part(f(load_part(x, i, n), i), i, n, x);
}

// out = f(product + bias, out, column), column by column of every row.
template <class Function>
HWY_INLINE void finish_rows(const float* product, std::size_t product_stride, const float* bias,
                            std::size_t rows, std::size_t columns, float* out, std::size_t stride,
                            Function f) {
  for (std::size_t r = 0; r < rows; ++r) {
    const float* from = product + r * product_stride;
    float* to = out + r * stride;
    for (std::size_t i = 0; i < columns; i += kLanes) {
      const V sum = hn::Add(hn::LoadU(kD, from + i), load_part(bias, i, columns));
      store_part(f(sum, to, i), i, columns, to);
    }
  }
}

// `columns` is a constant where a tile is whole, which is the usual case.
HWY_INLINE void finish_columns(Epilogue epilogue, const float* product, std::size_t product_stride,
                               const float* bias, const float* scale, std::size_t rows,
                               std::size_t columns, float* out, std::size_t stride) {
  const auto finish = [&](auto f) {
    finish_rows(product, product_stride, bias, rows, columns, out, stride, f);
  };
  const auto map = [&](auto f) {
    finish([f](V sum, const float*, std::size_t) { return f(sum); });
  };
  switch (epilogue) {
    case Epilogue::bias: return map([](V sum) { return sum; });
    case Epilogue::gelu: return map([](V sum) { return gelu_of(sum); });
    case Epilogue::gelu_tanh: return map([](V sum) { return gelu_tanh_of(sum); });
    case Epilogue::quick_gelu: return map([](V sum) { return quick_gelu_of(sum); });
    case Epilogue::silu: return map([](V sum) { return silu_of(sum); });
    case Epilogue::relu: return map([](V sum) { return relu_of(sum); });
    case Epilogue::residual:
      return finish([&](V sum, const float* before, std::size_t i) {
        return hn::Add(load_part(before, i, columns), sum);
      });
    case Epilogue::scaled:
      return finish([&](V sum, const float* before, std::size_t i) {
        return hn::Add(load_part(before, i, columns), hn::Mul(sum, load_part(scale, i, columns)));
      });
  }
}

void finish_tile(Epilogue epilogue, const float* product, std::size_t product_stride,
                 const float* bias, const float* scale, std::size_t rows, std::size_t columns,
                 float* out, std::size_t stride) {
  if (columns == kTileColumns)
    return finish_columns(epilogue, product, product_stride, bias, scale, rows, kTileColumns, out,
                          stride);
  finish_columns(epilogue, product, product_stride, bias, scale, rows, columns, out, stride);
}

void silu_gate(float* x, const float* up, std::size_t n) {
  map_row(x, n, [&](V v, std::size_t i) { return hn::Mul(silu_of(v), load_part(up, i, n)); });
}

void tanh_row(float* x, std::size_t n) {
  map_row(x, n, [](V v, std::size_t) { return tanh_of(v); });
}

void exp_row(float* x, std::size_t n) {
  map_row(x, n, [](V v, std::size_t) { return exp_of(v); });
}

void erf_row(float* x, std::size_t n) {
  map_row(x, n, [](V v, std::size_t) { return erf_of(v); });
}

// Lane i + lane i + half of a vector, until four are left; then in scalars.
template <class Tag>
HWY_INLINE float tree_of_lanes(Tag tag, hn::Vec<Tag> v) {
  if constexpr (hn::MaxLanes(Tag()) > 4) {
    const hn::Half<Tag> half;
    return tree_of_lanes(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  } else {
    HWY_ALIGN float p[4];
    hn::Store(v, tag, p);
    return (p[0] + p[2]) + (p[1] + p[3]);
  }
}

// The tree over the sixteen partials.
HWY_INLINE float tree(V* partials) {
  for (std::size_t half = kPartialVectors / 2; half > 0; half /= 2) {
    for (std::size_t v = 0; v < half; ++v) partials[v] = hn::Add(partials[v], partials[v + half]);
  }
  return tree_of_lanes(kD, partials[0]);
}

// partial i mod 16 collects f(partial, element i); the rest of the last sixteen stays out.
template <class Function>
float collect(const float* x, std::size_t n, Function f) {
  V partials[kPartialVectors];
  for (std::size_t v = 0; v < kPartialVectors; ++v) partials[v] = hn::Zero(kD);
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for (std::size_t v = 0; v < kPartialVectors; ++v)
      partials[v] = f(partials[v], hn::LoadU(kD, x + i + v * kLanes));
  }
  for (std::size_t v = 0; i < n; i += kLanes, ++v) {
    const std::size_t count = n - i < kLanes ? n - i : kLanes;
    const V updated = f(partials[v], load_part(x, i, n));
    partials[v] = hn::IfThenElse(hn::FirstN(kD, count), updated, partials[v]);
  }
  return tree(partials);
}

float sum(const float* x, std::size_t n) {
  return collect(x, n, [](V partial, V v) { return hn::Add(partial, v); });
}

struct RowNorm {
  float mean, inverse;  // of the standard deviation
};

RowNorm norm_of_row(const float* x, float eps, std::size_t n) {
  const auto count = static_cast<float>(n);
  const float mean = sum(x, n) / count;
  const V m = hn::Set(kD, mean);
  const float squares = collect(x, n, [m](V partial, V v) {
    const V d = hn::Sub(v, m);
    return hn::MulAdd(d, d, partial);
  });
  return {mean, 1 / __builtin_sqrtf(squares / count + eps)};
}

void layer_norm_row(const float* x, const float* gamma, const float* beta, float eps, std::size_t n,
                    float* out) {
  const RowNorm norm = norm_of_row(x, eps, n);
  const V m = hn::Set(kD, norm.mean), factor = hn::Set(kD, norm.inverse);
  for (std::size_t i = 0; i < n; i += kLanes) {
    const V d = hn::Sub(load_part(x, i, n), m);
    const V y = hn::MulAdd(hn::Mul(d, factor), load_part(gamma, i, n), load_part(beta, i, n));
    store_part(y, i, n, out);
  }
}

// The largest of `most`'s lanes; NaN where there is one.
HWY_INLINE float largest_lane(V most) {
  if (!hn::AllFalse(kD, hn::IsNaN(most))) return __builtin_nanf("");
  return hn::GetLane(hn::MaxOfLanes(kD, most));
}

// x = x * scale; gives the largest element, NaN where there is one.
float scale_and_maximum(float* x, float scale, std::size_t n) {
  const V factor = hn::Set(kD, scale);
  V most = hn::Set(kD, x[0] * scale);
  map_row(x, n, [&](V v, std::size_t i) {
    const V scaled = hn::Mul(v, factor);
    auto larger = hn::Or(hn::Gt(scaled, most), hn::IsNaN(scaled));
    if (i + kLanes > n) larger = hn::And(larger, hn::FirstN(kD, n - i));
    most = hn::IfThenElse(larger, scaled, most);
    return scaled;
  });
  return largest_lane(most);
}

// x = exp(x - most); gives the sum.
float exponentials(float* x, V most, std::size_t n) {
  V partials[kPartialVectors];
  for (std::size_t v = 0; v < kPartialVectors; ++v) partials[v] = hn::Zero(kD);
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for (std::size_t v = 0; v < kPartialVectors; ++v) {
      float* at = x + i + v * kLanes;
      const V e = exp_finite(hn::Sub(hn::LoadU(kD, at), most));
      hn::StoreU(e, kD, at);
      partials[v] = hn::Add(partials[v], e);
    }
  }
  for (std::size_t v = 0; i < n; i += kLanes, ++v) {
    const std::size_t count = n - i < kLanes ? n - i : kLanes;
    const V e = exp_finite(hn::Sub(load_part(x, i, n), most));
    store_part(e, i, n, x);
    partials[v] = hn::IfThenElse(hn::FirstN(kD, count), hn::Add(partials[v], e), partials[v]);
  }
  return tree(partials);
}

void scale_softmax(float* x, float scale, std::size_t n) {
  if (n == 0) return;
  const V most = hn::Set(kD, scale_and_maximum(x, scale, n));
  const V total = hn::Set(kD, exponentials(x, most, n));
  map_row(x, n, [total](V v, std::size_t) { return hn::Div(v, total); });
}

#include "samebits/kernels/simd_backward.h"

constexpr KernelTable kTable = {.isa = SAMEBITS_ISA,
                                .block_rows = SAMEBITS_BLOCK_ROWS,
                                .multiply_panel = multiply_panel,
                                .finish_tile = finish_tile,
                                .silu_gate = silu_gate,
                                .layer_norm_row = layer_norm_row,
                                .scale_softmax = scale_softmax,
                                .exp = exp_row,
                                .erf = erf_row,
                                .tanh = tanh_row,
                                .activate = activate,
                                .activation_back = activation_back,
                                .layer_norm_back_row = layer_norm_back_row,
                                .softmax_back_row = softmax_back_row,
                                .column_panel = column_panel,
                                .add_row = add_row,
                                .adamw = adamw};

}  // namespace
}  // namespace samebits
