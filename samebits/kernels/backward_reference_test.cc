// The definitions of gradients against numeric differentiation in double.
#include "samebits/kernels/backward_reference.h"

#include <cmath>
#include <functional>
#include <numeric>

#include "samebits/kernels/kernel_case.h"

namespace samebits {
namespace {

using kernel_case::numbers;
using Doubles = std::vector<double>;

Doubles widened(const std::vector<float>& x) { return {x.begin(), x.end()}; }

/// The slope of `loss` along each element of `at`, by central differences.
Doubles slopes(Doubles at, const std::function<double(const Doubles&)>& loss) {
  constexpr double kStep = 1e-6;
  Doubles found(at.size());
  for (std::size_t i = 0; i < at.size(); ++i) {
    const double before = at[i];
    at[i] = before + kStep;
    const double above = loss(at);
    at[i] = before - kStep;
    found[i] = (above - loss(at)) / (2 * kStep);
    at[i] = before;
  }
  return found;
}

void expect_near(const std::vector<float>& found, const Doubles& wanted, const std::string& what) {
  ASSERT_EQ(found.size(), wanted.size());
  double largest = 1e-3;
  for (const double each : wanted) largest = std::max(largest, std::fabs(each));
  for (std::size_t i = 0; i < found.size(); ++i)
    ASSERT_NEAR(found[i], wanted[i], 3e-6 * largest) << what << " at " << i;
}

double weighted(const Doubles& values, const std::vector<float>& weights) {
  double total = 0;
  for (std::size_t i = 0; i < values.size(); ++i) total += values[i] * weights[i];
  return total;
}

TEST(BackwardReference, SlopesAreThoseOfTheActivations) {
  using Function = double (*)(double);
  const std::pair<Epilogue, Function> functions[] = {
      {Epilogue::gelu, [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }},
      {Epilogue::gelu_tanh,
       [](double x) {
         return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
       }},
      {Epilogue::quick_gelu, [](double x) { return x / (1 + std::exp(-1.702 * x)); }},
      {Epilogue::silu, [](double x) { return x / (1 + std::exp(-x)); }},
      {Epilogue::relu, [](double x) { return x > 0 ? x : 0; }}};
  for (const auto& [activation, function] : functions) {
    for (double x = -9.013; x < 9; x += 0.0371) {
      const auto at = static_cast<float>(x);
      const double exact = static_cast<double>(at);
      const double wanted = (function(exact + 1e-6) - function(exact - 1e-6)) / 2e-6;
      EXPECT_NEAR(reference::slope(activation, at), wanted, 1e-6)
          << static_cast<int>(activation) << " " << x;
    }
  }
}

TEST(BackwardReference, LogIsRoundedOnce) {
  for (float x = 1e-38F; x < 3e38F; x *= 1.0371F) {
    const double wanted = std::log(static_cast<double>(x));
    EXPECT_EQ(reference::log(x), static_cast<float>(wanted)) << x;
  }
  EXPECT_EQ(reference::log(1), 0);
  EXPECT_TRUE(std::isnan(reference::log(-1)));
  EXPECT_TRUE(std::isinf(reference::log(0)));
}

TEST(BackwardReference, LayerNormIsTheSlopeOfLayerNorm) {
  const std::size_t width = 37;
  const auto x = numbers(width, 1, 3);
  const auto gamma = numbers(width, 2, 2);
  const auto dy = numbers(width, 3);
  const auto loss = [&](const Doubles& at) {
    const double mean = std::accumulate(at.begin(), at.end(), 0.0) / static_cast<double>(width);
    double variance = 0;
    for (const double each : at) variance += (each - mean) * (each - mean);
    const double deviation = std::sqrt(variance / static_cast<double>(width) + 1e-5);
    double total = 0;
    for (std::size_t i = 0; i < width; ++i) total += (at[i] - mean) / deviation * gamma[i] * dy[i];
    return total;
  };
  std::vector<float> dx(width, 0.0F);
  std::vector<float> normal(width);
  reference::layer_norm_gradient(x.data(), gamma.data(), dy.data(), 1e-5F, width, dx.data(),
                                 normal.data());
  expect_near(dx, slopes(widened(x), loss), "dx");
}

/// The output of one head in double, [tokens, width].
Doubles attention(const Doubles& qkv, std::size_t tokens, std::size_t width, double scale,
                  const std::vector<float>& factors) {
  const std::size_t part = tokens * width;
  Doubles out(part, 0.0);
  for (std::size_t i = 0; i < tokens; ++i) {
    Doubles p(tokens);
    double total = 0;
    for (std::size_t j = 0; j < tokens; ++j) {
      double score = 0;
      for (std::size_t d = 0; d < width; ++d)
        score += qkv[i * width + d] * qkv[part + j * width + d];
      p[j] = std::exp(score * scale);
      total += p[j];
    }
    for (std::size_t j = 0; j < tokens; ++j) {
      for (std::size_t d = 0; d < width; ++d)
        out[i * width + d] +=
            p[j] / total * factors[i * tokens + j] * qkv[2 * part + j * width + d];
    }
  }
  return out;
}

TEST(BackwardReference, AttentionIsTheSlopeOfAttention) {
  const std::size_t tokens = 5;
  const std::size_t width = 6;
  const std::size_t part = tokens * width;
  const auto qkv = numbers(3 * part, 1, 3);
  const auto dout = numbers(part, 2);
  auto factors = numbers(tokens * tokens, 3);
  for (float& each : factors) each = each > -0.2F ? 1.25F : 0;
  std::vector<float> found(3 * part);
  reference::attention_gradient({.q = qkv.data(),
                                 .k = qkv.data() + part,
                                 .v = qkv.data() + 2 * part,
                                 .dout = dout.data(),
                                 .factors = factors.data(),
                                 .tokens = tokens,
                                 .width = width,
                                 .stride = width,
                                 .dout_stride = width,
                                 .scale = 0.4F},
                                found.data(), found.data() + part, found.data() + 2 * part);
  const auto loss = [&](const Doubles& at) {
    return weighted(attention(at, tokens, width, static_cast<double>(0.4F), factors), dout);
  };
  expect_near(found, slopes(widened(qkv), loss), "qkv");
}

TEST(BackwardReference, LinearIsTheSlopeOfLinear) {
  const std::size_t rows = 7;
  const std::size_t depth = 5;
  const std::size_t columns = 3;
  const auto x = numbers(rows * depth, 1);
  const auto w = numbers(columns * depth, 2);
  const auto dy = numbers(rows * columns, 3);
  const auto loss = [&](const Doubles& input, const Doubles& weight) {
    double total = 0;
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < columns; ++c) {
        for (std::size_t k = 0; k < depth; ++k)
          total += input[r * depth + k] * weight[c * depth + k] * dy[r * columns + c];
      }
    }
    return total;
  };
  std::vector<float> dx(x.size());
  std::vector<float> dw(w.size());
  reference::linear_input_gradient(dy.data(), w.data(), rows, depth, columns, dx.data());
  reference::weight_gradient(dy.data(), x.data(), {rows, 2}, depth, columns, dw.data());
  const Doubles wide_x = widened(x);
  const Doubles wide_w = widened(w);
  expect_near(dx, slopes(wide_x, [&](const Doubles& at) { return loss(at, wide_w); }), "dx");
  expect_near(dw, slopes(wide_w, [&](const Doubles& at) { return loss(wide_x, at); }), "dw");
}

// 7 leaves: ((0 + 1) + (2 + 3)) + ((4 + 5) + 6), which other orders would round otherwise.
TEST(BackwardReference, LeavesAreAddedInOneTree) {
  const float big = 0x1p24F;
  const std::vector<float> v = {big, 1, 1, 1, 1, 1, -big};
  EXPECT_EQ(reference::tree_sum(v), ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + v[6]));
  EXPECT_NE(reference::tree_sum(v), ((((((v[0] + v[1]) + v[2]) + v[3]) + v[4]) + v[5]) + v[6]));
  EXPECT_EQ(reference::tree_sum({}), 0);
  const LeafRows leaves{.rows = 10, .of_leaf = 4};
  EXPECT_EQ(leaves.count(), 3U);
  EXPECT_EQ(leaves.size(1), 4U);
  EXPECT_EQ(leaves.size(2), 2U);
}

TEST(BackwardReference, SquaresAreSummedInDouble) {
  const std::vector<float> x(200'000, 0.1F);
  const double each = static_cast<double>(0.1F) * static_cast<double>(0.1F);
  EXPECT_NEAR(reference::sum_of_squares(x.data(), x.size()), 200'000 * each, 1e-9);
}

}  // namespace
}  // namespace samebits
