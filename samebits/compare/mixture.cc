#include "samebits/compare/mixture.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "samebits/compare/number_block.h"
#include "samebits/compare/rounding.h"

namespace samebits {
namespace {

constexpr std::uint64_t kMixtureRun = 1 << 14;

/// Calls each(x, y, z) for the first `most` elements; false at the end of the first run in which it
/// was false.
template <class Each>
bool all_triples(const TensorView& x, const TensorView& y, const TensorView& z, std::uint64_t most,
                 Each each) {
  NumberBlock of_x;
  NumberBlock of_y;
  NumberBlock of_z;
  for (std::uint64_t first = 0; first < most; first += kMixtureRun) {
    const std::uint64_t count = std::min(kMixtureRun, most - first);
    of_x.load(x, first, count);
    of_y.load(y, first, count);
    of_z.load(z, first, count);
    bool fits = true;
    for (std::size_t i = 0; i < count; ++i)
      fits = each(std::as_const(of_x).numbers()[i], std::as_const(of_y).numbers()[i],
                  std::as_const(of_z).numbers()[i]) &&
             fits;
    if (!fits) return false;
  }
  return true;
}

}  // namespace

bool can_mix(const TensorView& x, const TensorView& y, const TensorView& z) {
  const auto has_floats = [](const TensorView& view) {
    return info(view.dtype()).family == DTypeFamily::floating && has_element_values(view.dtype()) &&
           itemsize(view.dtype()) >= 2;
  };
  return x.shape() == y.shape() && y.shape() == z.shape() && has_floats(x) && has_floats(y) &&
         has_floats(z);
}

void add_mixture(const TensorView& x, const TensorView& y, const TensorView& z, MixtureSums* sums,
                 std::uint64_t most) {
  all_triples(x, y, z, std::min(most, x.numel()), [&](double a, double b, double c) {
    sums->along += (a - b) * (c - b);
    sums->square += (c - b) * (c - b);
    return true;
  });
}

bool is_mixture(const TensorView& x, const TensorView& y, const TensorView& z, double t,
                std::uint64_t most) {
  constexpr double kMixRoundings = 4;  // of two products, their sum, and t itself
  const double unit = kMixRoundings * half_spacing(x.dtype());
  return all_triples(x, y, z, std::min(most, x.numel()), [&](double a, double b, double c) {
    const double size = std::max({std::fabs(a), std::fabs(b), std::fabs(c)});
    return std::fabs(a - (b + t * (c - b))) <= unit * size;
  });
}

}  // namespace samebits
