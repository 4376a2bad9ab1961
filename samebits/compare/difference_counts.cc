#include "samebits/compare/difference_counts.h"

#include <cmath>
#include <map>

namespace samebits {

DifferenceCounts count_differences(const ValuePair& pair) {
  constexpr std::uint64_t kBlock = 1 << 16;
  std::map<int, std::uint64_t> by_exponent;
  std::vector<std::uint8_t> buffer_a;
  std::vector<std::uint8_t> buffer_b;
  const std::uint64_t item_a = itemsize(pair.a.dtype());
  const std::uint64_t item_b = itemsize(pair.b.dtype());
  for (std::uint64_t first = 0; first < pair.a.numel(); first += kBlock) {
    const std::uint64_t count = std::min(kBlock, pair.a.numel() - first);
    const Bytes a = pair.a.row_major_range(first, count, buffer_a);
    const Bytes b = pair.b.row_major_range(first, count, buffer_b);
    for (std::uint64_t i = 0; i < count; ++i) {
      const double distance = std::fabs(element_as_double(pair.a.dtype(), a.data() + i * item_a) -
                                        element_as_double(pair.b.dtype(), b.data() + i * item_b));
      if (distance > 0 && std::isfinite(distance)) ++by_exponent[std::ilogb(distance)];
    }
  }
  DifferenceCounts found;
  if (by_exponent.empty()) return found;
  found.lowest = by_exponent.begin()->first;
  const auto place = [&](int exponent) {
    return static_cast<std::size_t>(exponent) - static_cast<std::size_t>(found.lowest);
  };
  found.counts.resize(place(by_exponent.rbegin()->first) + 1);
  for (const auto& [exponent, count] : by_exponent) found.counts[place(exponent)] = count;
  return found;
}

}  // namespace samebits
