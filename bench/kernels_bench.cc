// Multiply-adds in a second (each counted as two operations): the most that this processor does,
// and what the inner loops of matrix products do, for every kernel set and every number of rows
// that a block of it may have.
#include <benchmark/benchmark.h>

#include <string>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "samebits/kernels/linear.h"

namespace samebits {
namespace {

constexpr std::size_t kDepth = 256;
constexpr std::size_t kStride = 768;

void count(benchmark::State& state, std::size_t multiply_adds) {
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(2 * multiply_adds));
}

/// A panel of one block, in the first-level cache.
void block(benchmark::State& state, const KernelTable* table, std::size_t rows) {
  AlignedFloats x(rows * kStride), out(rows * kStride), tile(2 * kDepth * kTileColumns);
  std::fill_n(x.data(), rows * kStride, 0.5F);
  std::fill_n(tile.data(), 2 * kDepth * kTileColumns, 0.25F);
  for (auto _ : state) {
    table->multiply_panel(x.data(), kStride, tile.data(), rows, kDepth, false, out.data(), kStride,
                          tile.data());
    benchmark::ClobberMemory();
  }
  count(state, rows * kDepth * kTileColumns);
}

#if defined(__x86_64__)
constexpr int kChains = 12;  // more than latency times units
constexpr int kSteps = 1000;

__attribute__((target("avx2,fma"))) void peak_avx2(benchmark::State& state) {
  __m256 t[kChains] = {};
  const __m256 factor = _mm256_set1_ps(0.5F);
  for (auto _ : state) {
    for (int step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
      for (__m256& each : t) each = _mm256_fmadd_ps(each, factor, factor);
    }
    benchmark::DoNotOptimize(t);
  }
  count(state, std::size_t{8} * kChains * kSteps);
}

__attribute__((target("avx512f"))) void peak_avx512(benchmark::State& state) {
  __m512 t[kChains] = {};
  const __m512 factor = _mm512_set1_ps(0.5F);
  for (auto _ : state) {
    for (int step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
      for (__m512& each : t) each = _mm512_fmadd_ps(each, factor, factor);
    }
    benchmark::DoNotOptimize(t);
  }
  count(state, std::size_t{16} * kChains * kSteps);
}
#endif

void register_all() {
  for (const Isa isa : built_isas()) {
    const KernelTable* table = kernel_table(isa);
    if (table == nullptr || isa == Isa::scalar) continue;
    const std::string name = isa_name(isa);
#if defined(__x86_64__)
    benchmark::RegisterBenchmark(("peak/" + name).c_str(),
                                 isa == Isa::avx512 ? peak_avx512 : peak_avx2);
#endif
    for (std::size_t rows = 1; rows <= table->block_rows; ++rows)
      benchmark::RegisterBenchmark(("block/" + name + "/" + std::to_string(rows)).c_str(), block,
                                   table, rows);
  }
}

const bool registered = (register_all(), true);

}  // namespace
}  // namespace samebits
