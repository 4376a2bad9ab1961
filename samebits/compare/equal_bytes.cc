#include "samebits/compare/equal_bytes.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <memory>

#include "samebits/base/parallel.h"
#include "samebits/base/work_meter.h"
#include "samebits/tensor/distinct_views.h"

namespace samebits {
namespace {

constexpr std::uint64_t kBlockBytes = 1 << 20;

struct Block {
  std::size_t pair;
  std::uint64_t first, count;  // elements of a
};

// Both tensors have the same count of elements and of bytes.
bool block_equal(const BytePair& pair, const Block& block, std::vector<std::uint8_t>* buffer_a,
                 std::vector<std::uint8_t>* buffer_b) {
  const Bytes a = pair.a->row_major_range(block.first, block.count, *buffer_a);
  const Bytes b = pair.b->row_major_range(block.first, block.count, *buffer_b);
  return std::memcmp(a.data(), b.data(), a.size()) == 0;
}

/// The same elements in the same place, which need not be read.
bool is_same_memory(const TensorView& a, const TensorView& b) {
  return a.is_plain() && b.is_plain() && a.nbytes() == b.nbytes() &&
         a.plain_bytes().data() == b.plain_bytes().data();
}

}  // namespace

std::vector<std::size_t> same_pairs(const std::vector<BytePair>& pairs) {
  DistinctViews distinct_a;
  DistinctViews distinct_b;
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> first;
  std::vector<std::size_t> first_of(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const std::pair key(distinct_a.add(*pairs[i].a, i), distinct_b.add(*pairs[i].b, i));
    first_of[i] = first.try_emplace(key, i).first->second;
  }
  return first_of;
}

std::vector<bool> equal_bytes(const std::vector<BytePair>& pairs, int threads) {
  std::vector<Block> blocks;
  const std::vector<std::size_t> first_of = same_pairs(pairs);
  const auto different = std::make_unique<std::atomic<bool>[]>(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const BytePair& pair = pairs[i];
    if (first_of[i] != i) continue;
    different[i] = pair.a->nbytes() != pair.b->nbytes() || pair.a->numel() != pair.b->numel();
    if (different[i] || is_same_memory(*pair.a, *pair.b)) continue;
    const std::uint64_t step = kBlockBytes / itemsize(pair.a->dtype());
    for (std::uint64_t first = 0; first < pair.a->numel(); first += step)
      blocks.push_back({i, first, std::min(step, pair.a->numel() - first)});
  }
  constexpr std::size_t kRun = 4;  // blocks that share buffers
  WorkStep step("comparing bytes", (blocks.size() + kRun - 1) / kRun);
  parallel_for((blocks.size() + kRun - 1) / kRun, threads, [&](std::size_t run) {
    std::vector<std::uint8_t> buffer_a;
    std::vector<std::uint8_t> buffer_b;
    for (std::size_t i = run * kRun; i < std::min(blocks.size(), (run + 1) * kRun); ++i) {
      const Block& block = blocks[i];
      if (!different[block.pair].load(std::memory_order_relaxed) &&
          !block_equal(pairs[block.pair], block, &buffer_a, &buffer_b))
        different[block.pair].store(true, std::memory_order_relaxed);
    }
    step.add(1);
  });
  std::vector<bool> equal(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) equal[i] = !different[first_of[i]];
  return equal;
}

bool equal_bytes_at_last(const TensorView& a, const TensorView& b, int threads) {
  constexpr std::uint64_t kSamples = 61;
  std::vector<std::uint8_t> buffer_a;
  std::vector<std::uint8_t> buffer_b;
  for (std::uint64_t i = 0; i < kSamples; ++i) {
    const std::uint64_t at = (a.numel() - 1) * i / (kSamples - 1);
    const Bytes x = a.row_major_range(at, 1, buffer_a);
    const Bytes y = b.row_major_range(at, 1, buffer_b);
    if (!std::ranges::equal(x, y)) return false;
  }
  return equal_bytes({{&a, &b}}, threads)[0];
}

}  // namespace samebits
