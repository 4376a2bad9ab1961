#include "samebits/run/positions.h"

#include <algorithm>
#include <cmath>

#include "samebits/base/float_mode.h"

namespace samebits {
namespace {

/// out[i] = sum of weights[k] * in[first + k], indexes outside clamped to the border.
struct Taps {
  std::ptrdiff_t first = 0;
  std::vector<double> weights;
};

// Keys' cubic convolution.
double cubic(double x, double a) {
  x = std::fabs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

Taps four_taps(std::size_t i, double scale) {
  const double at = (static_cast<double>(i) + 0.5) * scale - 0.5;
  const double whole = std::floor(at);
  Taps taps{static_cast<std::ptrdiff_t>(whole) - 1, {}};
  for (int k = -1; k <= 2; ++k) taps.weights.push_back(cubic(at - whole - k, -0.75));
  return taps;
}

// The kernel grows with the step, and what stands outside does not count.
Taps antialias_taps(std::size_t i, double scale, std::size_t size) {
  const double step = std::max(scale, 1.0);
  const double center = (static_cast<double>(i) + 0.5) * scale;
  const auto first = static_cast<std::ptrdiff_t>(std::max(center - 2 * step + 0.5, 0.0));
  const auto last =
      static_cast<std::ptrdiff_t>(std::min(center + 2 * step + 0.5, static_cast<double>(size)));
  Taps taps{first, {}};
  double total = 0;
  for (std::ptrdiff_t k = first; k < last; ++k) {
    taps.weights.push_back(cubic((static_cast<double>(k) - center + 0.5) / step, -0.5));
    total += taps.weights.back();
  }
  for (double& weight : taps.weights) weight /= total;
  return taps;
}

std::vector<Taps> taps_of(std::size_t from, std::size_t to, Resampling how) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  std::vector<Taps> taps;
  for (std::size_t i = 0; i < to; ++i)
    taps.push_back(how == Resampling::bicubic ? four_taps(i, scale)
                                              : antialias_taps(i, scale, from));
  return taps;
}

// `in` is [outer, size, inner]: the middle axis becomes one of taps.size().
std::vector<double> resample_axis(const std::vector<double>& in, std::size_t outer,
                                  std::size_t size, std::size_t inner,
                                  const std::vector<Taps>& taps) {
  std::vector<double> out(outer * taps.size() * inner, 0.0);
  for (std::size_t o = 0; o < outer; ++o) {
    for (std::size_t i = 0; i < taps.size(); ++i) {
      double* to = out.data() + (o * taps.size() + i) * inner;
      for (std::size_t k = 0; k < taps[i].weights.size(); ++k) {
        const std::ptrdiff_t at =
            std::clamp<std::ptrdiff_t>(taps[i].first + static_cast<std::ptrdiff_t>(k), 0,
                                       static_cast<std::ptrdiff_t>(size) - 1);
        const double* from = in.data() + (o * size + static_cast<std::size_t>(at)) * inner;
        for (std::size_t d = 0; d < inner; ++d) to[d] = to[d] + taps[i].weights[k] * from[d];
      }
    }
  }
  return out;
}

}  // namespace

std::vector<float> resample_positions(std::span<const float> positions, Grid from, Grid to,
                                      std::size_t depth, Resampling how) {
  const FloatMode contract;
  const std::vector<double> whole(positions.begin(), positions.end());
  const std::vector<double> wide =
      resample_axis(whole, from.height, from.width, depth, taps_of(from.width, to.width, how));
  const std::vector<double> all =
      resample_axis(wide, 1, from.height, to.width * depth, taps_of(from.height, to.height, how));
  std::vector<float> result(all.size());
  std::transform(all.begin(), all.end(), result.begin(),
                 [](double value) { return static_cast<float>(value); });
  return result;
}

}  // namespace samebits
