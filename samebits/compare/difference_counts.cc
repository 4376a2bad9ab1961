#include "samebits/compare/difference_counts.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "samebits/compare/number_block.h"

namespace samebits {
namespace {

constexpr std::uint64_t kCountsBlock = 1 << 16;
constexpr int kLowest = -1074;  // of a double
constexpr std::size_t kExponents = 1024 + 1074;
using ExponentCounts = std::array<std::uint64_t, kExponents>;

int exponent_of(double distance) {  // not 0
  const int stored = static_cast<int>(std::bit_cast<std::uint64_t>(distance) >> 52);
  return stored == 0 ? std::ilogb(distance) : stored - 1023;
}

void count_distances(std::span<const double> x, std::span<const double> y, ExponentCounts* counts) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double distance = std::fabs(x[i] - y[i]);
    if (distance > 0 && std::isfinite(distance))
      ++(*counts)[static_cast<std::size_t>(exponent_of(distance) - kLowest)];
  }
}

}  // namespace

DifferenceCounts count_differences(const ValuePair& pair) {
  const std::uint64_t components = component_count(pair.a);
  ExponentCounts all{};
  NumberBlock a;
  NumberBlock b;
  for (std::uint64_t first = 0; first < components; first += kCountsBlock) {
    const std::uint64_t count = std::min(kCountsBlock, components - first);
    a.load(pair.a, first, count);
    b.load(pair.b, first, count);
    count_distances(a.numbers(), b.numbers(), &all);
  }
  const auto counted = [](std::uint64_t count) { return count > 0; };
  const auto first = std::find_if(all.begin(), all.end(), counted);
  const auto last = std::find_if(all.rbegin(), all.rend(), counted).base();
  DifferenceCounts found;
  if (first == all.end()) return found;
  found.lowest = kLowest + static_cast<int>(first - all.begin());
  found.counts.assign(first, last);
  return found;
}

}  // namespace samebits
