#include "samebits/compare/tolerance.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "samebits/base/float_mode.h"
#include "samebits/base/parallel.h"
#include "samebits/base/work_meter.h"
#include "samebits/compare/exact_number.h"
#include "samebits/compare/number_block.h"

namespace samebits {
namespace {

constexpr std::uint64_t kCloseBlock = 1 << 16;

bool is_beyond(double a, double b, double distance, const Tolerance& tolerance) {
  if (std::isnan(a) && std::isnan(b)) return false;
  if (!std::isfinite(a) || !std::isfinite(b)) return a != b;
  return !(distance <= tolerance.absolute + tolerance.relative * std::fabs(a));
}

std::uint64_t beyond_in_block(const ValuePair& pair, const Tolerance& tolerance,
                              std::uint64_t first, std::uint64_t count) {
  NumberBlock a;
  NumberBlock b;
  a.load(pair.a, first, count);
  b.load(pair.b, first, count);
  const DType type_a = component_type(pair.a.dtype());
  const DType type_b = component_type(pair.b.dtype());
  const bool wide = itemsize(type_a) == 8 || itemsize(type_b) == 8;
  std::uint64_t beyond = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double x = std::as_const(a).numbers()[i];
    const double y = std::as_const(b).numbers()[i];
    // Integers of 64 bits may differ where doubles do not.
    const double apart = wide
                             ? distance(exact_number(type_a, a.raw().data() + i * itemsize(type_a)),
                                        exact_number(type_b, b.raw().data() + i * itemsize(type_b)))
                             : std::fabs(x - y);
    beyond += is_beyond(x, y, apart, tolerance) ? 1 : 0;
  }
  return beyond;
}

}  // namespace

std::uint64_t count_beyond(const ValuePair& pair, const Tolerance& tolerance, int threads) {
  const FloatMode contract;
  const std::uint64_t count = component_count(pair.a);
  std::vector<std::uint64_t> counts((count + kCloseBlock - 1) / kCloseBlock);
  WorkStep step("applying the tolerance", counts.size());
  parallel_for(counts.size(), threads, [&](std::size_t block) {
    const std::uint64_t first = block * kCloseBlock;
    counts[block] = beyond_in_block(pair, tolerance, first, std::min(kCloseBlock, count - first));
    step.add(1);
  });
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

}  // namespace samebits
