#include "samebits/compare/rounded_digest.h"

#include <algorithm>
#include <set>
#include <vector>

#include "samebits/compare/number_block.h"
#include "samebits/compare/rounding.h"

namespace samebits {
namespace {

constexpr std::uint64_t kDigestBlock = 1 << 14;

Bytes bytes_of(const void* data, std::size_t size) {
  return {static_cast<const std::uint8_t*>(data), size};
}

Digest128 digest_of_first(const TensorView& view, DType type, std::uint64_t count) {
  NumberBlock block;
  std::vector<std::uint64_t> digests;
  for (std::uint64_t at = 0; at < count; at += kDigestBlock) {
    block.load(view, at, std::min(kDigestBlock, count - at));
    const std::span<double> rounded = block.numbers();
    round_all(type, rounded);
    for (double& number : rounded) number = number + 0.0;  // -0 becomes 0
    const Digest128 digest = fast_digest(bytes_of(rounded.data(), rounded.size() * sizeof(double)));
    digests.insert(digests.end(), {digest.high, digest.low});
  }
  return fast_digest(bytes_of(digests.data(), digests.size() * sizeof(std::uint64_t)));
}

}  // namespace

Digest128 rounded_digest(const TensorView& view, DType type) {
  return digest_of_first(view, type, view.numel());
}

Digest128 rounded_sample(const TensorView& view, DType type) {
  constexpr std::uint64_t kSample = 256;
  return digest_of_first(view, type, std::min(kSample, view.numel()));
}

bool has_many_values(const TensorView& view) {
  constexpr std::uint64_t kSample = 4096;
  constexpr std::size_t kMany = 16;
  NumberBlock block;
  const std::uint64_t count = component_count(view);
  block.load(view, 0, std::min(kSample, count) / 2 * 2);
  return std::set<double>(block.numbers().begin(), block.numbers().end()).size() > kMany;
}

}  // namespace samebits
