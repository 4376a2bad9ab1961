// How fast the values of a tensor are digested, in bytes a second.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "samebits/tensor/digest.h"

namespace {

constexpr std::size_t kBytes = 64 << 20;  // larger than the caches, as weights are

void fast(benchmark::State& state) {
  const std::vector<std::uint8_t> bytes(kBytes, 1);
  for (auto _ : state) benchmark::DoNotOptimize(samebits::fast_digest(samebits::Bytes(bytes)));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kBytes));
}
BENCHMARK(fast);

void sha256(benchmark::State& state) {
  const std::vector<std::uint8_t> bytes(kBytes, 1);
  for (auto _ : state) benchmark::DoNotOptimize(samebits::sha256_hex(samebits::Bytes(bytes)));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kBytes));
}
BENCHMARK(sha256);

}  // namespace
