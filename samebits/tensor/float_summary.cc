#include "samebits/tensor/float_summary.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <new>

#include "samebits/base/error.h"
#include "samebits/base/parallel.h"

namespace samebits {
namespace {

// Bytes that the digest and the loop below read one after the other, while they are in a cache.
constexpr std::size_t kBlock = 32768;
constexpr std::size_t kWorthAThread = 1 << 20;
constexpr std::size_t kLanes = 16;  // sums side by side
constexpr std::int32_t kInfinity = 0x7f800000;

// Vectors of GCC and Clang, which become instructions of whatever width there is.
using Floats [[gnu::vector_size(kLanes * sizeof(float))]] = float;
using Ints [[gnu::vector_size(kLanes * sizeof(float))]] = std::int32_t;
using Doubles [[gnu::vector_size(kLanes * sizeof(double))]] = double;

constexpr float kMost = std::numeric_limits<float>::infinity();

struct Lanes {
  Doubles sum{}, squares{};
  Floats least = Floats{} + kMost, greatest = Floats{} - kMost;
  Ints not_finite{};
};

// out = mask ? one : other, for masks of -1 and 0. By reference: how vectors are passed and
// returned depends on the instructions that a function is compiled for.
[[gnu::always_inline]] inline void choose(const Ints& mask, const Floats& one, const Floats& other,
                                          Floats& out) {
  out = reinterpret_cast<Floats>((reinterpret_cast<Ints>(one) & mask) |
                                 (reinterpret_cast<Ints>(other) & ~mask));
}

// What is not finite counts as 0 in the sums, and as no bound.
[[gnu::always_inline]] inline void add_all(Lanes& lanes, const std::uint8_t* values,
                                           std::size_t count) {
  Lanes now = lanes;
  const Floats zero{};
  const Floats most = zero + kMost;
  const Floats least = zero - kMost;
  for (std::size_t i = 0; i < count; i += kLanes) {
    Floats value;
    std::memcpy(&value, values + i * sizeof(float), sizeof value);
    const Ints finite = (reinterpret_cast<Ints>(value) & kInfinity) != kInfinity;
    Floats counted;
    choose(finite, value, zero, counted);
    const Doubles wide = __builtin_convertvector(counted, Doubles);
    now.sum += wide;
    now.squares += wide * wide;
    Floats low;
    Floats high;
    choose(finite, value, most, low);
    choose(finite, value, least, high);
    choose(low < now.least, low, now.least, now.least);
    choose(high > now.greatest, high, now.greatest, now.greatest);
    now.not_finite += finite + 1;
  }
  lanes = now;
}

using AddBlock = void (*)(Lanes& lanes, const std::uint8_t* values, std::size_t count);

void add_block(Lanes& lanes, const std::uint8_t* values, std::size_t count) {
  add_all(lanes, values, count);
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] void add_block_avx2(Lanes& lanes, const std::uint8_t* values,
                                            std::size_t count) {
  add_all(lanes, values, count);
}
[[gnu::target("avx512f,avx512dq")]] void add_block_avx512(Lanes& lanes, const std::uint8_t* values,
                                                          std::size_t count) {
  add_all(lanes, values, count);
}
#endif

/// All give the same bits: no product is fused with a sum.
AddBlock fastest() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
    return add_block_avx512;
  if (__builtin_cpu_supports("avx2")) return add_block_avx2;
#endif
  return add_block;
}

/// All but the digest, of one block more.
void add_block_of(FloatSummary* summary, Lanes& lanes, Bytes block) {
  static const AddBlock add = fastest();
  constexpr std::size_t kVector = kLanes * sizeof(float);
  const std::size_t whole = block.size() / kVector * kVector;
  lanes.not_finite = Ints{};  // 32 bits, of one block
  add(lanes, block.data(), whole / sizeof(float));
  if (whole < block.size()) {  // what fills the last vector counts in no sum, and is no bound
    std::array<float, kLanes> last;
    last.fill(kMost);
    std::memcpy(last.data(), block.data() + whole, block.size() - whole);
    add(lanes, reinterpret_cast<const std::uint8_t*>(last.data()), kLanes);
    summary->not_finite -= kLanes - (block.size() - whole) / sizeof(float);
  }
  for (std::size_t lane = 0; lane < kLanes; ++lane)
    summary->not_finite += static_cast<std::uint32_t>(lanes.not_finite[lane]);
}

/// Calls each of them with one block after the other.
template <class... Each>
void for_each_block(Bytes bytes, Each... each) {
  for (std::size_t first = 0; first < bytes.size(); first += kBlock) {
    const Bytes block = bytes.subspan(first, std::min(kBlock, bytes.size() - first));
    (each(block), ...);
  }
}

void conclude(FloatSummary* summary, const Lanes& lanes) {
  const std::uint64_t finite = summary->elements - summary->not_finite;
  if (finite == 0) return;
  double sum = 0;
  double squares = 0;
  summary->least = lanes.least[0];
  summary->greatest = lanes.greatest[0];
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    sum += lanes.sum[lane];
    squares += lanes.squares[lane];
    summary->least = std::min(summary->least, lanes.least[lane]);
    summary->greatest = std::max(summary->greatest, lanes.greatest[lane]);
  }
  summary->mean = sum / static_cast<double>(finite);
  summary->norm = std::sqrt(squares);
}

}  // namespace

FloatSummary summarize_float32(Bytes bytes, int threads) {
  SAMEBITS_CHECK(bytes.size() % sizeof(float) == 0);
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(),
                                                                              XXH3_freeState);
  if (!state) throw std::bad_alloc();
  XXH3_128bits_reset(state.get());
  FloatSummary summary;
  summary.elements = bytes.size() / sizeof(float);
  Lanes lanes;
  const auto hash = [&](Bytes block) {
    XXH3_128bits_update(state.get(), block.data(), block.size());
  };
  const auto add = [&](Bytes block) { add_block_of(&summary, lanes, block); };
  if (threads > 1 && bytes.size() >= kWorthAThread) {
    parallel_for(2, 2, [&](std::size_t i) {
      if (i == 0) return for_each_block(bytes, add);
      hash(bytes);
    });
  } else {
    for_each_block(bytes, hash, add);
  }
  const XXH128_hash_t digest = XXH3_128bits_digest(state.get());
  summary.digest = {digest.high64, digest.low64};
  conclude(&summary, lanes);
  return summary;
}

}  // namespace samebits
