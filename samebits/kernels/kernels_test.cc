// Every kernel of every instruction set that this machine has, against the definition: equal bits.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <gmock/gmock.h>

#include "samebits/base/float_mode.h"
#include "samebits/base/test_float_mode.h"
#include "samebits/kernels/attention.h"
#include "samebits/kernels/kernel_case.h"
#include "samebits/kernels/layer_norm.h"
#include "samebits/kernels/linear.h"
#include "samebits/kernels/reference.h"

namespace samebits {
namespace {

using kernel_case::available;
using kernel_case::expect_equal;
using kernel_case::kInf;
using kernel_case::kNan;
using kernel_case::numbers;

class Kernels : public kernel_case::KernelCase {};

TEST_P(Kernels, LinearIsTheDefinition) {
  struct Case {
    std::size_t rows, depth, columns;
  };
  for (const Case& c :
       {Case{1, 1, 1}, Case{1, 768, 10}, Case{2, 255, 33}, Case{3, 256, 32}, Case{14, 257, 31},
        Case{15, 7, 64}, Case{50, 300, 65}, Case{197, 48, 96}, Case{29, 600, 100}}) {
    const auto x = numbers(c.rows * c.depth, 1);
    const auto w = numbers(c.columns * c.depth, 2);
    const auto bias = numbers(c.columns, 3);
    std::vector<float> wanted(c.rows * c.columns);
    reference::linear(x.data(), w.data(), bias.data(), c.rows, c.depth, c.columns, wanted.data());
    const PackedMatrix packed(w.data(), c.columns, c.depth, c.depth);
    for (const int threads : {1, 2, 3, 4, 7}) {
      ThreadPool pool(threads);
      std::vector<float> out(wanted.size(), -1);
      linear({*table_, pool}, x.data(), c.depth, c.rows, packed, bias.data(), Epilogue::bias,
             out.data(), c.columns);
      expect_equal(out, wanted, "linear");
    }
  }
}

constexpr std::size_t kRows = 37;
constexpr std::size_t kWidth = 96;

/// Numbers of all sizes, which give subnormal ones on the way and are some themselves.
struct Operands {
  std::vector<float> x = numbers(kRows * kWidth, 1, 0x1p-60F);
  std::vector<float> w = numbers(kWidth * kWidth, 2, 0x1p-70F);
  std::vector<float> bias = numbers(kWidth, 3, 0x1p-128F);

  Operands() {
    for (std::size_t i = 0; i < kWidth; ++i) x[i] *= 0x1p62F;
  }
};

std::vector<float> every_operation(const KernelTable& table, int threads,
                                   const Operands& operands) {
  const auto& [x, w, bias] = operands;
  ThreadPool pool(threads);
  const Engine engine{table, pool};
  std::vector<float> all;
  std::vector<float> out(kRows * kWidth);
  const auto keep = [&] { all.insert(all.end(), out.begin(), out.end()); };
  const PackedMatrix packed(w.data(), kWidth, kWidth, kWidth);
  for (const Epilogue epilogue : {Epilogue::bias, Epilogue::gelu, Epilogue::silu}) {
    linear(engine, x.data(), kWidth, kRows, packed, bias.data(), epilogue, out.data(), kWidth);
    keep();
  }
  layer_norm(engine, x.data(), w.data(), bias.data(), 1e-12F, kRows, kWidth, out.data(), kWidth);
  keep();
  AttentionWorkspace workspace;
  const AttentionShape shape{.images = 1,
                             .tokens = kRows,
                             .queries = kRows,
                             .heads = 1,
                             .width = kWidth,
                             .stride = kWidth,
                             .out_stride = kWidth,
                             .scale = 30};
  attention(engine, x.data(), x.data(), x.data(), shape, out.data(), workspace);
  keep();
  return all;
}

TEST_P(Kernels, TheCallersFloatModeMovesNoBit) {
  const Operands operands;
  const auto wanted = every_operation(*table_, 1, operands);
  const auto subnormal = [](float value) { return std::fpclassify(value) == FP_SUBNORMAL; };
  ASSERT_GT(std::count_if(wanted.begin(), wanted.end(), subnormal), 100);
  for (const int threads : {1, 3}) {
    const OddFloatMode odd;
    const auto found = every_operation(*table_, threads, operands);
    EXPECT_TRUE(odd.holds());
    const FloatMode contract;  // for the comparison
    expect_equal(found, wanted, "all");
  }
}

// Memory of other sizes in between moves a copy's start to another place in its cache line.
TEST(PackedMatrix, ACopyIsTheSameMatrix) {
  const auto w = numbers(40 * 7, 2);
  const PackedMatrix packed(w.data(), 40, 7, 7);
  std::vector<std::vector<char>> between;
  std::vector<PackedMatrix> copies;
  for (std::size_t i = 0; i < 50; ++i) {
    between.emplace_back(16 * i + 8);
    copies.push_back(packed);  // copied and, as the vector grows, moved
    EXPECT_TRUE(copies.back().same_bits(packed));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(copies.back().tile(0)) % 64, 0U);
  }
  for (const PackedMatrix& copy : copies) EXPECT_TRUE(copy.same_bits(packed));
  PackedMatrix assigned;
  assigned = packed;
  EXPECT_TRUE(assigned.same_bits(packed));
}

// Query, key and value of widths that end inside a tile.
TEST(PackedMatrix, IsTheSameWhereItIsPackedInParts) {
  for (const std::size_t depth : {1U, 7U, 40U}) {
    const auto w = numbers(120 * depth, 2);
    const PackedMatrix whole(w.data(), 120, depth, depth);
    PackedMatrix parts(120, depth);
    std::size_t first = 0;
    for (const std::size_t count : {40U, 3U, 32U, 45U}) {
      parts.pack(w.data() + first * depth, first, count);
      first += count;
    }
    EXPECT_TRUE(parts.same_bits(whole)) << depth;
    for (std::size_t c = 0; c < 120; ++c) {
      for (std::size_t k = 0; k < depth; ++k)
        ASSERT_EQ(parts.tile(c / kTileColumns)[k * kTileColumns + c % kTileColumns],
                  w[c * depth + k]);
    }
  }
}

TEST_P(Kernels, LinearOfAnyShapeStrideAndTilesIsTheDefinition) {
  std::uint32_t state = 1;
  const auto draw = [&state](std::size_t most) {
    state = state * 1664525 + 1013904223;
    return 1 + (state >> 8) % most;
  };
  for (std::uint32_t round = 0; round < 60; ++round) {
    const std::size_t rows = draw(round % 4 == 0 ? 230 : 40);
    const std::size_t depth = draw(round % 3 == 0 ? 800 : 60);
    const std::size_t columns = draw(150);
    const std::size_t x_stride = depth + draw(20);
    const std::size_t out_stride = columns + draw(20);
    const auto x = numbers(rows * x_stride, round);
    const auto w = numbers(columns * depth, round + 100);
    const auto bias = numbers(columns, round + 200);
    std::vector<float> dense(rows * depth);
    for (std::size_t i = 0; i < dense.size(); ++i) dense[i] = x[i / depth * x_stride + i % depth];
    std::vector<float> product(rows * columns);
    reference::linear(dense.data(), w.data(), bias.data(), rows, depth, columns, product.data());
    const PackedMatrix packed(w.data(), columns, depth, depth);
    const TileRange tiles{.first = draw(packed.tiles()) - 1, .last = draw(packed.tiles() + 1)};
    std::vector<float> wanted(rows * out_stride, -1);  // what is not to be written stays
    for (std::size_t i = 0; i < product.size(); ++i) {
      const std::size_t tile = i % columns / kTileColumns;
      if (tile >= tiles.first && tile < tiles.last)
        wanted[i / columns * out_stride + i % columns] = product[i];
    }
    ThreadPool pool(static_cast<int>(draw(4)));
    std::vector<float> out(wanted.size(), -1);
    linear({*table_, pool}, x.data(), x_stride, rows, packed, bias.data(), Epilogue::bias,
           out.data(), out_stride, nullptr, tiles);
    expect_equal(
        out, wanted,
        std::to_string(rows) + " x " + std::to_string(depth) + " x " + std::to_string(columns));
  }
}

TEST_P(Kernels, EpiloguesAreTheDefinition) {
  const std::size_t rows = 17;
  const std::size_t depth = 40;
  const std::size_t columns = 45;
  const auto x = numbers(rows * depth, 1, 4);
  const auto w = numbers(columns * depth, 2);
  const auto bias = numbers(columns, 3);
  const auto before = numbers(rows * columns, 4);
  std::vector<float> product(rows * columns);
  reference::linear(x.data(), w.data(), bias.data(), rows, depth, columns, product.data());
  ThreadPool pool(2);
  const PackedMatrix packed(w.data(), columns, depth, depth);
  const std::pair<Epilogue, float (*)(float)> functions[] = {
      {Epilogue::gelu, reference::gelu},
      {Epilogue::gelu_tanh, reference::gelu_tanh},
      {Epilogue::quick_gelu, reference::quick_gelu},
      {Epilogue::silu, reference::silu},
      {Epilogue::relu, reference::relu}};
  for (const auto& [epilogue, function] : functions) {
    std::vector<float> found = before;
    linear({*table_, pool}, x.data(), depth, rows, packed, bias.data(), epilogue, found.data(),
           columns);
    std::vector<float> wanted;
    for (const float each : product) wanted.push_back(function(each));
    expect_equal(found, wanted, "activation " + std::to_string(static_cast<int>(epilogue)));
  }
  std::vector<float> residual = before;
  linear({*table_, pool}, x.data(), depth, rows, packed, bias.data(), Epilogue::residual,
         residual.data(), columns);
  const auto scale = numbers(columns, 5);
  std::vector<float> scaled = before;
  linear({*table_, pool}, x.data(), depth, rows, packed, bias.data(), Epilogue::scaled,
         scaled.data(), columns, scale.data());
  std::vector<float> wanted_scaled;
  std::vector<float> wanted_residual;
  for (std::size_t i = 0; i < product.size(); ++i) {
    wanted_residual.push_back(before[i] + product[i]);
    wanted_scaled.push_back(before[i] + product[i] * scale[i % columns]);
  }
  expect_equal(residual, wanted_residual, "residual");
  expect_equal(scaled, wanted_scaled, "scaled");
}

// A row's result is the same alone and among others.
TEST_P(Kernels, RowsDoNotDependOnTheirBatch) {
  const std::size_t depth = 300;
  const std::size_t columns = 70;
  const auto x = numbers(40 * depth, 1);
  const auto w = numbers(columns * depth, 2);
  const auto bias = numbers(columns, 3);
  const PackedMatrix packed(w.data(), columns, depth, depth);
  ThreadPool pool(2);
  std::vector<float> all(40 * columns);
  linear({*table_, pool}, x.data(), depth, 40, packed, bias.data(), Epilogue::bias, all.data(),
         columns);
  for (std::size_t r = 0; r < 40; ++r) {
    std::vector<float> one(columns);
    linear({*table_, pool}, x.data() + r * depth, depth, 1, packed, bias.data(), Epilogue::bias,
           one.data(), columns);
    expect_equal(one,
                 {all.begin() + static_cast<std::ptrdiff_t>(r * columns),
                  all.begin() + static_cast<std::ptrdiff_t>((r + 1) * columns)},
                 "row");
  }
}

TEST_P(Kernels, InfinitiesNanAndTinyNumbersGoThrough) {
  for (const float special : {kNan, kInf, -kInf, 1e-42F, 3e38F, -0.0F}) {
    auto x = numbers(20 * 33, 1);
    x[100] = special;
    const auto w = numbers(33 * 40, 2);
    const auto bias = numbers(40, 3);
    std::vector<float> wanted(20 * 40);
    reference::linear(x.data(), w.data(), bias.data(), 20, 33, 40, wanted.data());
    ThreadPool pool(1);
    std::vector<float> out(wanted.size());
    linear({*table_, pool}, x.data(), 33, 20, PackedMatrix(w.data(), 40, 33, 33), bias.data(),
           Epilogue::bias, out.data(), 40);
    expect_equal(out, wanted, "special");
  }
}

TEST_P(Kernels, ExpErfAndTanhAreTheDefinition) {
  std::vector<float> x;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 9973)
    x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  for (const float special : {0.0F, -0.0F, kInf, -kInf, kNan, 0.92F, -0.92F, 4.0F, 88.72284F,
                              88.72285F, -104.0F, -103.9F, -87.4F})
    x.push_back(special);
  std::vector<float> exp = x;
  std::vector<float> erf = x;
  std::vector<float> tanh = x;
  table_->tanh(tanh.data(), tanh.size());
  table_->exp(exp.data(), exp.size());
  table_->erf(erf.data(), erf.size());
  std::vector<float> wanted_exp;
  std::vector<float> wanted_erf;
  std::vector<float> wanted_tanh;
  for (const float value : x) {
    wanted_exp.push_back(reference::exp(value));
    wanted_erf.push_back(reference::erf(value));
    wanted_tanh.push_back(reference::tanh(value));
  }
  expect_equal(exp, wanted_exp, "exp");
  expect_equal(erf, wanted_erf, "erf");
  expect_equal(tanh, wanted_tanh, "tanh");
}

TEST_P(Kernels, SiluGateIsTheDefinition) {
  for (const std::size_t n : {1U, 7U, 16U, 100U}) {
    auto x = numbers(n, 1, 40);
    x[n / 2] = -200;  // exp overflows: x / infinity
    const auto up = numbers(n, 2);
    std::vector<float> wanted;
    for (std::size_t i = 0; i < n; ++i) wanted.push_back(reference::silu(x[i]) * up[i]);
    table_->silu_gate(x.data(), up.data(), n);
    expect_equal(x, wanted, "silu_gate");
  }
}

INSTANTIATE_TEST_SUITE_P(All, Kernels, testing::ValuesIn(available()),
                         [](const auto& each) { return isa_name(each.param); });

TEST(BestKernels, AreTheWidestOfTheMachine) {
  const KernelTable& best = best_kernels();
  EXPECT_EQ(kernel_table(best.isa), &best);
  EXPECT_EQ(best.isa, available().back());
}

}  // namespace
}  // namespace samebits
