// Every loop of a training step, for every instruction set that this machine has and for many
// numbers of threads, against the definition: equal bits.
#include "samebits/kernels/gradients.h"

#include <algorithm>

#include "samebits/kernels/attention_gradient.h"
#include "samebits/kernels/kernel_case.h"

namespace samebits {
namespace {

using kernel_case::available;
using kernel_case::expect_equal;
using kernel_case::kInf;
using kernel_case::kNan;
using kernel_case::numbers;

class Gradients : public kernel_case::KernelCase {};

struct Sizes {
  std::size_t rows, depth, columns, of_leaf;
};

constexpr Sizes kSizes[] = {{1, 1, 1, 1},       {7, 5, 3, 2},       {16, 33, 31, 16},
                            {50, 48, 32, 7},    {300, 20, 65, 300}, {300, 20, 65, 100},
                            {523, 17, 33, 257}, {91, 40, 96, 13},   {12, 300, 40, 1}};

std::vector<float> unpacked(const PackedMatrix& matrix) {
  std::vector<float> rows;
  for (std::size_t c = 0; c < matrix.columns(); ++c) {
    for (std::size_t k = 0; k < matrix.depth(); ++k)
      rows.push_back(matrix.tile(c / kTileColumns)[k * kTileColumns + c % kTileColumns]);
  }
  return rows;
}

TEST_P(Gradients, OfWeightsAreTheDefinition) {
  for (const Sizes& s : kSizes) {
    const auto dy = numbers(s.rows * s.columns, 1);
    const auto x = numbers(s.rows * s.depth, 2);
    const LeafRows leaves{s.rows, s.of_leaf};
    std::vector<float> wanted(s.columns * s.depth);
    reference::weight_gradient(dy.data(), x.data(), leaves, s.depth, s.columns, wanted.data());
    for (int threads = 1; threads <= 7; ++threads) {
      ThreadPool pool(threads);
      PackedMatrix out(s.columns, s.depth);
      GradientWorkspace workspace;
      weight_gradient({*table_, pool}, {dy.data(), s.columns}, {x.data(), s.depth}, leaves, out,
                      workspace);
      expect_equal(unpacked(out), wanted, "weight gradient");
      const float* last = out.tile(out.tiles() - 1);
      for (std::size_t c = s.columns % kTileColumns; c > 0 && c < kTileColumns; ++c)
        ASSERT_EQ(last[c], 0);
    }
  }
}

TEST_P(Gradients, OfInputsAreTheDefinition) {
  for (const Sizes& s : kSizes) {
    const auto dy = numbers(s.rows * s.columns, 1);
    const auto w = numbers(s.columns * s.depth, 2);
    std::vector<float> wanted(s.rows * s.depth);
    reference::linear_input_gradient(dy.data(), w.data(), s.rows, s.depth, s.columns,
                                     wanted.data());
    const PackedMatrix packed(w.data(), s.columns, s.depth, s.depth);
    GradientWorkspace workspace;
    for (int threads = 1; threads <= 7; ++threads) {
      ThreadPool pool(threads);
      std::vector<float> out(wanted.size(), -1);
      input_gradient({*table_, pool}, {dy.data(), s.columns}, s.rows, packed, out.data(), s.depth,
                     workspace);
      expect_equal(out, wanted, "input gradient");
    }
  }
}

TEST_P(Gradients, OfColumnsAreTheDefinition) {
  for (const Sizes& s : kSizes) {
    const auto a = numbers(s.rows * (s.columns + 3), 1);
    const auto b = numbers(s.rows * (s.columns + 5), 2);
    const LeafRows leaves{s.rows, s.of_leaf};
    for (const bool ones : {true, false}) {
      const RowsOf other = ones ? RowsOf{} : RowsOf{b.data(), s.columns + 5};
      std::vector<float> wanted(s.columns);
      reference::column_gradient(a.data(), s.columns + 3, other.values, other.stride, leaves,
                                 s.columns, wanted.data());
      for (int threads = 1; threads <= 7; ++threads) {
        ThreadPool pool(threads);
        std::vector<float> out(s.columns, -1);
        column_gradient({*table_, pool}, {a.data(), s.columns + 3}, other, leaves, s.columns,
                        out.data());
        expect_equal(out, wanted, "column gradient");
      }
    }
  }
}

TEST_P(Gradients, OfLayerNormAreTheDefinition) {
  for (const std::size_t width : {1U, 7U, 16U, 48U, 100U}) {
    const LeafRows leaves{23, 5};
    const auto x = numbers(leaves.rows * width, 1);
    const auto dy = numbers(leaves.rows * width, 2);
    const auto gamma = numbers(width, 3);
    const auto before = numbers(leaves.rows * width, 4);
    std::vector<float> dx = before;
    std::vector<float> normal(x.size());
    for (std::size_t r = 0; r < leaves.rows; ++r)
      reference::layer_norm_gradient(x.data() + r * width, gamma.data(), dy.data() + r * width,
                                     1e-6F, width, dx.data() + r * width,
                                     normal.data() + r * width);
    std::vector<float> dgamma(width);
    std::vector<float> dbeta(width);
    reference::column_gradient(dy.data(), width, normal.data(), width, leaves, width,
                               dgamma.data());
    reference::column_gradient(dy.data(), width, nullptr, 0, leaves, width, dbeta.data());
    for (int threads = 1; threads <= 7; ++threads) {
      ThreadPool pool(threads);
      std::vector<float> found = before;
      std::vector<float> found_gamma(width);
      std::vector<float> found_beta(width);
      GradientWorkspace workspace;
      layer_norm_back({*table_, pool},
                      {.x = x.data(),
                       .gamma = gamma.data(),
                       .dy = {dy.data(), width},
                       .eps = 1e-6F,
                       .width = width,
                       .dx = found.data(),
                       .dgamma = found_gamma.data(),
                       .dbeta = found_beta.data()},
                      leaves, workspace);
      expect_equal(found, dx, "dx");
      expect_equal(found_gamma, dgamma, "dgamma");
      expect_equal(found_beta, dbeta, "dbeta");
    }
  }
}

TEST_P(Gradients, OfAttentionAreTheDefinition) {
  for (const auto& [tokens, width, dropout] :
       {std::tuple<std::size_t, std::size_t, bool>{1, 4, false},
        {5, 32, false},
        {33, 12, true},
        {50, 64, false},
        {270, 8, true}}) {
    const std::size_t images = 2;
    const std::size_t heads = 3;
    const std::size_t stride = 3 * heads * width + 5;
    const std::size_t out_stride = heads * width + 1;
    const auto qkv = numbers(images * tokens * stride, 1, 4);
    const auto dout = numbers(images * tokens * out_stride, 2);
    auto factors = numbers(images * heads * tokens * tokens, 3);
    for (float& each : factors) each = each > 0 ? 1.25F : 0;
    std::vector<float> wanted(qkv.size(), -1);
    const std::size_t all = heads * width;
    for (std::size_t item = 0; item < images * heads; ++item) {
      const std::size_t at = item / heads * tokens * stride + item % heads * width;
      const float* q = qkv.data() + at;
      reference::attention_gradient(
          {.q = q,
           .k = q + all,
           .v = q + 2 * all,
           .dout = dout.data() + item / heads * tokens * out_stride + item % heads * width,
           .factors = dropout ? factors.data() + item * tokens * tokens : nullptr,
           .tokens = tokens,
           .width = width,
           .stride = stride,
           .dout_stride = out_stride,
           .scale = 0.3F},
          wanted.data() + at, wanted.data() + at + all, wanted.data() + at + 2 * all);
    }
    const AttentionShape shape{.images = images,
                               .tokens = tokens,
                               .queries = tokens,
                               .heads = heads,
                               .width = width,
                               .stride = stride,
                               .out_stride = out_stride,
                               .scale = 0.3F,
                               .dropout = dropout ? factors.data() : nullptr};
    AttentionGradientWorkspace workspace;
    for (int threads = 1; threads <= 7; ++threads) {
      ThreadPool pool(threads);
      std::vector<float> found(qkv.size(), -1);
      attention_gradient({*table_, pool},
                         {.q = qkv.data(),
                          .k = qkv.data() + all,
                          .v = qkv.data() + 2 * all,
                          .dout = dout.data(),
                          .dq = found.data(),
                          .dk = found.data() + all,
                          .dv = found.data() + 2 * all},
                         shape, workspace);
      expect_equal(found, wanted, "attention of " + std::to_string(tokens));
    }
  }
}

TEST_P(Gradients, OfActivationsAreTheDefinition) {
  auto x = numbers(1001, 1, 12);
  for (const float special : {0.0F, -0.0F, kInf, -kInf, kNan, 1e-42F, 90.0F, -90.0F, 1e20F})
    x.push_back(special);
  const auto before = numbers(x.size(), 2);
  for (const Epilogue activation : {Epilogue::gelu, Epilogue::gelu_tanh, Epilogue::quick_gelu,
                                    Epilogue::silu, Epilogue::relu}) {
    std::vector<float> wanted;
    for (std::size_t i = 0; i < x.size(); ++i)
      wanted.push_back(before[i] * reference::slope(activation, x[i]));
    std::vector<float> forward(x.size());
    kernel_table(Isa::scalar)->activate(activation, x.data(), x.size(), forward.data());
    ThreadPool pool(3);
    std::vector<float> found = before;
    activation_back({*table_, pool}, activation, {x.data(), 0}, 1, x.size(), found.data(), 0);
    expect_equal(found, wanted, "activation " + std::to_string(static_cast<int>(activation)));
    activate({*table_, pool}, activation, {x.data(), 0}, 1, x.size(), found.data(), 0);
    expect_equal(found, forward, "forward");
  }
}

TEST_P(Gradients, AdamwIsTheDefinition) {
  for (const std::size_t n : {1U, 5U, 8U, 16U, 37U, 1000U}) {
    for (const bool special : {false, true}) {
      const AdamwScalars scalars{.decay = 0.99F,
                                 .decays = !special,
                                 .first = special ? 0.7F : 0.1F,
                                 .second = 0.999F,
                                 .second_rest = 0.001F,
                                 .root_correction = 0.03F,
                                 .eps = 1e-8F,
                                 .step = -0.01F,
                                 .gradient = 0.5F,
                                 .clips = special};
      std::vector<float> p = numbers(n, 1), m = numbers(n, 2), v = numbers(n, 3);
      for (float& each : v) each = std::fabs(each);
      auto g = numbers(n, 4);
      std::vector<float> wanted_p = p, wanted_m = m, wanted_v = v;
      EXPECT_TRUE(reference::adamw(scalars, g.data(), n, wanted_p.data(), wanted_m.data(),
                                   wanted_v.data()));
      EXPECT_TRUE(table_->adamw(scalars, g.data(), n, p.data(), m.data(), v.data()));
      expect_equal(p, wanted_p, "p");
      expect_equal(m, wanted_m, "m");
      expect_equal(v, wanted_v, "v");
      g[n - 1] = kInf;
      EXPECT_FALSE(table_->adamw(scalars, g.data(), n, p.data(), m.data(), v.data()));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Gradients, testing::ValuesIn(available()),
                         [](const auto& each) { return isa_name(each.param); });

}  // namespace
}  // namespace samebits
