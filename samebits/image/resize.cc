#include "samebits/image/resize.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "samebits/base/float_mode.h"

namespace samebits {
namespace {

constexpr int kPrecision = 32 - 8 - 2;  // bits behind the point: eight of a pixel, two of the sum

double sinc(double x) {
  if (x == 0) return 1;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double cubic(double x) {
  constexpr double kA = -0.5;
  x = std::fabs(x);
  if (x < 1) return ((kA + 2) * x - (kA + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * kA;
  return 0;
}

double hamming(double x) {
  x = std::fabs(x);
  if (x == 0) return 1;
  if (x >= 1) return 0;
  x *= std::numbers::pi;
  return std::sin(x) / x * (0.54 + 0.46 * std::cos(x));
}

double weight(Filter filter, double x) {
  switch (filter) {
    case Filter::box: return x > -0.5 && x <= 0.5 ? 1 : 0;
    case Filter::bilinear: return std::fabs(x) < 1 ? 1 - std::fabs(x) : 0;
    case Filter::hamming: return hamming(x);
    case Filter::bicubic: return cubic(x);
    case Filter::lanczos: return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
    case Filter::nearest: break;
  }
  return 0;
}

double support_of(Filter filter) {
  switch (filter) {
    case Filter::box: return 0.5;
    case Filter::bicubic: return 2;
    case Filter::lanczos: return 3;
    default: return 1;
  }
}

/// out = sum of weights[k] * in[first + k], weights in fixed point.
struct Taps {
  std::size_t first = 0;
  std::vector<std::int32_t> weights;
};

Taps taps_of(std::size_t i, double scale, std::size_t size, Filter filter) {
  const double stretch = std::max(scale, 1.0);
  const double support = support_of(filter) * stretch;
  const double center = (static_cast<double>(i) + 0.5) * scale;
  const double step = 1.0 / stretch;
  const auto first = static_cast<std::size_t>(std::floor(std::max(center - support + 0.5, 0.0)));
  const auto last = std::min(static_cast<std::size_t>(std::floor(center + support + 0.5)), size);
  std::vector<double> exact;
  double total = 0;
  for (std::size_t k = 0; first + k < last; ++k) {
    exact.push_back(weight(filter, (static_cast<double>(k + first) - center + 0.5) * step));
    total += exact.back();
  }
  Taps taps{first, {}};
  for (double each : exact) {
    if (total != 0) each /= total;
    // Half away from zero, by adding it and cutting off: std::lround() rounds other numbers next to
    // a half.
    const double scaled = each * (1 << kPrecision);
    const double beyond = scaled + (each < 0 ? -0.5 : 0.5);
    taps.weights.push_back(static_cast<std::int32_t>(beyond));
  }
  return taps;
}

std::vector<Taps> all_taps(std::size_t from, std::size_t to, Filter filter) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  std::vector<Taps> taps;
  for (std::size_t i = 0; i < to; ++i) taps.push_back(taps_of(i, scale, from, filter));
  return taps;
}

// `in` points at pixel 0 of a row.
void mix(const Taps& taps, const std::uint8_t* in, std::uint8_t* out) {
  for (std::size_t channel = 0; channel < 3; ++channel) {
    std::int32_t sum = 1 << (kPrecision - 1);
    const std::uint8_t* from = in + taps.first * 3 + channel;
    for (const std::int32_t each : taps.weights) {
      sum += each * *from;
      from += 3;
    }
    out[channel] = static_cast<std::uint8_t>(std::clamp(sum >> kPrecision, 0, 255));
  }
}

RgbImage resize_rows(const RgbImage& image, std::size_t width, Filter filter) {
  RgbImage out{image.height, width, std::vector<std::uint8_t>(image.height * width * 3)};
  const std::vector<Taps> taps = all_taps(image.width, width, filter);
  for (std::size_t y = 0; y < image.height; ++y) {
    for (std::size_t x = 0; x < width; ++x)
      mix(taps[x], image.pixels.data() + y * image.width * 3,
          out.pixels.data() + (y * width + x) * 3);
  }
  return out;
}

// Row by row as they lie in memory; the sums are those of mix().
void mix_rows(const Taps& taps, const std::uint8_t* in, std::size_t row,
              std::vector<std::int32_t>* sums, std::uint8_t* out) {
  std::fill(sums->begin(), sums->end(), 1 << (kPrecision - 1));
  const std::uint8_t* from = in + taps.first * row;
  for (const std::int32_t each : taps.weights) {
    for (std::size_t i = 0; i < row; ++i) (*sums)[i] += each * from[i];
    from += row;
  }
  for (std::size_t i = 0; i < row; ++i)
    out[i] = static_cast<std::uint8_t>(std::clamp((*sums)[i] >> kPrecision, 0, 255));
}

RgbImage resize_columns(const RgbImage& image, std::size_t height, Filter filter) {
  const std::size_t row = image.width * 3;
  RgbImage out{height, image.width, std::vector<std::uint8_t>(height * row)};
  const std::vector<Taps> taps = all_taps(image.height, height, filter);
  std::vector<std::int32_t> sums(row);
  for (std::size_t y = 0; y < height; ++y)
    mix_rows(taps[y], image.pixels.data(), row, &sums, out.pixels.data() + y * row);
  return out;
}

// Positions by repeated addition: so their rounding is Pillow's.
std::vector<std::size_t> nearest_of(std::size_t from, std::size_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  std::vector<std::size_t> places;
  double at = scale * 0.5;
  for (std::size_t i = 0; i < to; ++i, at += scale)
    places.push_back(std::min(static_cast<std::size_t>(at), from - 1));
  return places;
}

RgbImage resize_nearest(const RgbImage& image, std::size_t height, std::size_t width) {
  RgbImage out{height, width, std::vector<std::uint8_t>(height * width * 3)};
  const auto rows = nearest_of(image.height, height);
  const auto columns = nearest_of(image.width, width);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x)
      std::copy_n(image.pixels.data() + (rows[y] * image.width + columns[x]) * 3, 3,
                  out.pixels.data() + (y * width + x) * 3);
  }
  return out;
}

}  // namespace

bool height_first(const RgbImage& image, std::size_t height, std::size_t width, PassOrder order) {
  if (order == PassOrder::pillow12 || height >= image.height) return false;
  return width >= image.width || image.height - height > 2 * (image.width - width);
}

std::uint64_t pixels_between(const RgbImage& image, std::size_t height, std::size_t width,
                             Filter filter, PassOrder order) {
  const bool two_passes =
      filter != Filter::nearest && image.height != height && image.width != width;
  if (!two_passes) return 0;
  return height_first(image, height, width, order) ? std::uint64_t{height} * image.width
                                                   : std::uint64_t{image.height} * width;
}

RgbImage resize(const RgbImage& image, std::size_t height, std::size_t width, Filter filter,
                PassOrder order) {
  const FloatMode contract;
  if (image.height == height && image.width == width) return image;
  if (filter == Filter::nearest) return resize_nearest(image, height, width);
  if (image.width == width) return resize_columns(image, height, filter);
  if (image.height == height) return resize_rows(image, width, filter);
  return height_first(image, height, width, order)
             ? resize_rows(resize_columns(image, height, filter), width, filter)
             : resize_columns(resize_rows(image, width, filter), height, filter);
}

}  // namespace samebits
