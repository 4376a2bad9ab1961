// The vector kernels of a training step, included by simd_kernels.h inside its unnamed namespace:
// what stands there holds here. Every one gives the bits of backward_reference.h.

// ---- activations

HWY_INLINE V gelu_slope_of(V x) {
  const V erf = erf_of(hn::Mul(x, hn::Set(kD, kInverseSqrt2)));
  const V below = hn::Mul(hn::Set(kD, 0.5F), hn::Add(hn::Set(kD, 1.0F), erf));
  const V power = exp_of(hn::Mul(hn::Set(kD, -0.5F), hn::Mul(x, x)));
  return hn::MulAdd(x, hn::Mul(hn::Set(kD, kInverseSqrt2Pi), power), below);
}

HWY_INLINE V gelu_tanh_slope_of(V x) {
  const V half = hn::Set(kD, 0.5F);
  const V one = hn::Set(kD, 1.0F);
  const V square = hn::Mul(x, x);
  const V cubic = hn::MulAdd(hn::Set(kD, kGeluCubic), hn::Mul(square, x), x);
  const V t = tanh_of(hn::Mul(hn::Set(kD, kSqrt2OverPi), cubic));
  const V inner =
      hn::Mul(hn::Set(kD, kSqrt2OverPi), hn::MulAdd(hn::Set(kD, 3 * kGeluCubic), square, one));
  const V rise = hn::NegMulAdd(t, t, one);
  return hn::MulAdd(hn::Mul(hn::Mul(half, x), rise), inner, hn::Mul(half, hn::Add(one, t)));
}

// s * fma(scaled, 1 - s, 1) with s = 1 / (1 + exp(-scaled))
HWY_INLINE V sigmoid_slope_of(V scaled) {
  const V one = hn::Set(kD, 1.0F);
  const V s = hn::Div(one, hn::Add(one, exp_of(hn::Neg(scaled))));
  return hn::Mul(s, hn::MulAdd(scaled, hn::Sub(one, s), one));
}

HWY_INLINE V relu_slope_of(V x) {
  const auto passes = hn::Or(hn::Gt(x, hn::Zero(kD)), hn::IsNaN(x));
  return hn::IfThenElse(passes, hn::Set(kD, 1.0F), hn::Zero(kD));
}

template <class Function>
HWY_INLINE void map_into(const float* x, std::size_t n, float* out, Function f) {
  for (std::size_t i = 0; i < n; i += kLanes) store_part(f(load_part(x, i, n)), i, n, out);
}

void activate(Epilogue activation, const float* x, std::size_t n, float* out) {
  const auto map = [&](auto f) { map_into(x, n, out, f); };
  switch (activation) {
    case Epilogue::gelu: return map([](V v) { return gelu_of(v); });
    case Epilogue::gelu_tanh: return map([](V v) { return gelu_tanh_of(v); });
    case Epilogue::quick_gelu: return map([](V v) { return quick_gelu_of(v); });
    case Epilogue::silu: return map([](V v) { return silu_of(v); });
    case Epilogue::relu: return map([](V v) { return relu_of(v); });
    case Epilogue::bias:
    case Epilogue::residual:
    case Epilogue::scaled: return map([](V v) { return v; });
  }
}

void activation_back(Epilogue activation, const float* x, std::size_t n, float* gradient) {
  const auto map = [&](auto f) {
    map_row(gradient, n, [&](V g, std::size_t i) { return hn::Mul(g, f(load_part(x, i, n))); });
  };
  switch (activation) {
    case Epilogue::gelu: return map([](V v) { return gelu_slope_of(v); });
    case Epilogue::gelu_tanh: return map([](V v) { return gelu_tanh_slope_of(v); });
    case Epilogue::quick_gelu:
      return map([](V v) { return sigmoid_slope_of(hn::Mul(hn::Set(kD, kQuickGelu), v)); });
    case Epilogue::silu: return map([](V v) { return sigmoid_slope_of(v); });
    case Epilogue::relu: return map([](V v) { return relu_slope_of(v); });
    case Epilogue::bias:
    case Epilogue::residual:
    case Epilogue::scaled: return;
  }
}

// ---- rows

// partial i mod 16 collects f(partial, a[i], b[i], c[i]). Behind the end the partial stays.
template <class Function>
float collect_products(const float* a, const float* b, const float* c, std::size_t n, Function f) {
  V partials[kPartialVectors];
  for (std::size_t v = 0; v < kPartialVectors; ++v) partials[v] = hn::Zero(kD);
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for (std::size_t v = 0; v < kPartialVectors; ++v) {
      const std::size_t at = i + v * kLanes;
      partials[v] =
          f(partials[v], hn::LoadU(kD, a + at), hn::LoadU(kD, b + at), hn::LoadU(kD, c + at));
    }
  }
  for (std::size_t v = 0; i < n; i += kLanes, ++v) {
    const std::size_t count = n - i < kLanes ? n - i : kLanes;
    const V updated = f(partials[v], load_part(a, i, n), load_part(b, i, n), load_part(c, i, n));
    partials[v] = hn::IfThenElse(hn::FirstN(kD, count), updated, partials[v]);
  }
  return tree(partials);
}

void layer_norm_back_row(const float* x, const float* gamma, const float* dy, float eps,
                         std::size_t n, float* dx, float* normal) {
  const auto count = static_cast<float>(n);
  const RowNorm norm = norm_of_row(x, eps, n);
  const V m = hn::Set(kD, norm.mean), factor = hn::Set(kD, norm.inverse);
  const auto weighted = [&](std::size_t i) {
    return hn::Mul(load_part(dy, i, n), load_part(gamma, i, n));
  };
  for (std::size_t i = 0; i < n; i += kLanes)
    store_part(hn::Mul(hn::Sub(load_part(x, i, n), m), factor), i, n, normal);
  const float a = collect_products(dy, gamma, normal, n,
                                   [](V partial, V d, V g, V /*normal*/) {
                                     return hn::Add(partial, hn::Mul(d, g));
                                   }) /
                  count;
  const float b = collect_products(dy, gamma, normal, n,
                                   [](V partial, V d, V g, V each) {
                                     return hn::MulAdd(hn::Mul(d, g), each, partial);
                                   }) /
                  count;
  map_row(dx, n, [&](V before, std::size_t i) {
    const V d = hn::Sub(weighted(i), hn::Set(kD, a));
    const V inner = hn::NegMulAdd(load_part(normal, i, n), hn::Set(kD, b), d);
    return hn::Add(before, hn::Mul(inner, factor));
  });
}

void softmax_back_row(const float* p, float scale, std::size_t n, float* dp) {
  const float total = collect_products(
      dp, p, p, n, [](V partial, V x, V y, V /*again*/) { return hn::MulAdd(x, y, partial); });
  const V d = hn::Set(kD, total);
  const V factor = hn::Set(kD, scale);
  map_row(dp, n, [&](V v, std::size_t i) {
    return hn::Mul(hn::Mul(load_part(p, i, n), hn::Sub(v, d)), factor);
  });
}

void add_row(const float* x, std::size_t n, float* into) {
  map_row(into, n, [&](V before, std::size_t i) { return hn::Add(before, load_part(x, i, n)); });
}

// ---- columns

// kWide vectors of columns from column c on; the last one ends behind `columns`.
template <std::size_t kWide>
HWY_INLINE void sum_columns(const float* a, std::size_t a_stride, const float* b,
                            std::size_t b_stride, std::size_t rows, std::size_t c,
                            std::size_t columns, bool add, float* out) {
  V t[kWide];
  for (std::size_t v = 0; v < kWide; ++v) t[v] = hn::Zero(kD);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t v = 0; v < kWide; ++v) {
      const std::size_t at = c + v * kLanes;
      const V each = load_part(a + r * a_stride, at, columns);
      t[v] = b == nullptr ? hn::Add(t[v], each)
                          : hn::MulAdd(each, load_part(b + r * b_stride, at, columns), t[v]);
    }
  }
  for (std::size_t v = 0; v < kWide; ++v) {
    const std::size_t at = c + v * kLanes;
    store_part(add ? hn::Add(load_part(out, at, columns), t[v]) : t[v], at, columns, out);
  }
}

void column_panel(const float* a, std::size_t a_stride, const float* b, std::size_t b_stride,
                  std::size_t rows, std::size_t columns, bool add, float* out) {
  constexpr std::size_t kWide = 4;
  std::size_t c = 0;
  for (; c + kWide * kLanes <= columns; c += kWide * kLanes)
    sum_columns<kWide>(a, a_stride, b, b_stride, rows, c, columns, add, out);
  for (; c < columns; c += kLanes)
    sum_columns<1>(a, a_stride, b, b_stride, rows, c, columns, add, out);
}

// ---- optimizer

HWY_INLINE V updated_moment(const AdamwScalars& s, V m, V g) {
  const V change = hn::Sub(g, m);
  if (s.first < 0.5F) return hn::MulAdd(hn::Set(kD, s.first), change, m);
  return hn::MulAdd(hn::Set(kD, s.first - 1), change, g);
}

bool adamw(const AdamwScalars& s, const float* g, std::size_t n, float* p, float* m, float* v) {
  V zeros = hn::Zero(kD);  // becomes NaN where a parameter is not finite
  for (std::size_t i = 0; i < n; i += kLanes) {
    V gradient = load_part(g, i, n);
    if (s.clips) gradient = hn::Mul(gradient, hn::Set(kD, s.gradient));
    V parameter = load_part(p, i, n);
    if (s.decays) parameter = hn::Mul(parameter, hn::Set(kD, s.decay));
    const V moment = updated_moment(s, load_part(m, i, n), gradient);
    const V square = hn::MulAdd(hn::Mul(hn::Set(kD, s.second_rest), gradient), gradient,
                                hn::Mul(load_part(v, i, n), hn::Set(kD, s.second)));
    const V root = hn::Div(hn::Sqrt(square), hn::Set(kD, s.root_correction));
    const V divisor = hn::Add(root, hn::Set(kD, s.eps));
    parameter = hn::Add(parameter, hn::Div(hn::Mul(hn::Set(kD, s.step), moment), divisor));
    store_part(moment, i, n, m);
    store_part(square, i, n, v);
    store_part(parameter, i, n, p);
    if (i + kLanes <= n)
      zeros = hn::MulAdd(parameter, hn::Zero(kD), zeros);
    else
      zeros = hn::MulAdd(load_part(p, i, n), hn::Zero(kD), zeros);
  }
  return hn::AllFalse(kD, hn::IsNaN(zeros));
}
