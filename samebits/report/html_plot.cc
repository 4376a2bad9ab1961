#include "samebits/report/html_plot.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "samebits/report/text.h"

namespace samebits {
namespace {

constexpr double kWidth = 720, kHeight = 260, kLeft = 64, kRight = 12, kTop = 12, kBottom = 34;

std::string line(double x1, double y1, double x2, double y2, const char* kind) {
  return fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>",
                     kind, x1, y1, x2, y2);
}

std::string label(double x, double y, const char* anchor, const std::string& text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>", x, y, anchor,
                     html_text(text));
}

std::string opened(double width, double height, const std::string& title) {
  return fmt::format("<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">", width,
                     height, html_text(title));
}

/// Decades from the smallest to the largest difference.
struct Scale {
  int low = -8, high = 1;

  explicit Scale(const std::vector<OutputPair>& points) {
    double least = 1e300;
    double most = 0;
    for (const OutputPair& point : points) {
      for (const double value : {point.max_abs, point.floor_max_abs.value_or(0)}) {
        if (!(value > 0 && std::isfinite(value))) continue;
        least = std::min(least, value);
        most = std::max(most, value);
      }
    }
    if (most == 0) return;
    low = static_cast<int>(std::floor(std::log10(least)));
    high = std::max(low + 1, static_cast<int>(std::ceil(std::log10(most))));
  }

  double base() const { return kHeight - kBottom; }
  // One step under the lowest decade is 0.
  double y(double value) const {
    const double step = (base() - kTop) / (high - low + 1);
    return base() - step * (std::log10(value) - low + 1);
  }
};

/// What rounding alone can do at each point, as a band above "equal".
std::string floor_band(const std::vector<OutputPair>& points, const Scale& scale, double step) {
  std::string corners;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double floor = points[i].floor_max_abs.value_or(0);
    const double y = floor > 0 && std::isfinite(floor) ? scale.y(floor) : scale.base();
    const double x = kLeft + step * static_cast<double>(i);
    corners += fmt::format("{:.1f},{:.1f} {:.1f},{:.1f} ", x, y, x + step, y);
  }
  return fmt::format(
      "<polygon class=\"floor\" points=\"{:.1f},{:.1f} {}{:.1f},{:.1f}\"><title>rounding: how far "
      "float32 passes of the model with sums in other orders are from one "
      "another</title></polygon>",
      kLeft, scale.base(), corners, kLeft + step * static_cast<double>(points.size()),
      scale.base());
}

}  // namespace

std::string html_text(std::string_view raw) {
  std::string text;
  for (const char c : printable(raw)) {
    switch (c) {
      case '&': text += "&amp;"; break;
      case '<': text += "&lt;"; break;
      case '>': text += "&gt;"; break;
      case '"': text += "&quot;"; break;
      case '\'': text += "&#39;"; break;
      default: text += c;
    }
  }
  return text;
}

std::string divergence_plot(const Divergence& divergence) {
  const std::vector<OutputPair>& points = divergence.points;
  const Scale scale(points);
  std::string svg = opened(kWidth, kHeight,
                           "Largest difference of " + divergence.a + " and " + divergence.b +
                               " at each point, logarithmic");
  for (int decade = scale.low; decade <= scale.high; ++decade) {
    const double y = scale.y(std::pow(10.0, decade));
    svg += line(kLeft, y, kWidth - kRight, y, "grid");
    svg += label(kLeft - 6, y + 4, "end", fmt::format("1e{}", decade));
  }
  svg += line(kLeft, scale.base(), kWidth - kRight, scale.base(), "axis");
  svg += label(kLeft - 6, scale.base() + 4, "end", "equal");
  const double step =
      (kWidth - kLeft - kRight) / std::max<double>(1, static_cast<double>(points.size()));
  if (std::ranges::any_of(points, [](const OutputPair& p) { return p.floor_max_abs.has_value(); }))
    svg += floor_band(points, scale, step);
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double x = kLeft + step * (static_cast<double>(i) + 0.5);
    const bool finite = points[i].max_abs > 0 && std::isfinite(points[i].max_abs);
    const double y = finite ? scale.y(points[i].max_abs) : scale.base();
    if (finite) svg += line(x, scale.base(), x, y, "stem");
    svg += fmt::format(
        "<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\"><title>{}: {}</title></circle>",
        points[i].differing > 0 ? "differs" : "equal", x, y, html_text(points[i].point),
        points[i].differing == 0
            ? "bit-identical"
            : fmt::format("{} of {} elements, up to {}", grouped(points[i].differing),
                          grouped(points[i].elements), short_number(points[i].max_abs)));
  }
  if (!points.empty()) {
    svg += label(kLeft, kHeight - 10, "start", points.front().point);
    svg += label(kWidth - kRight, kHeight - 10, "end", points.back().point);
  }
  return svg + "</svg>";
}

std::string token_plot(const TokenMap& map) {
  constexpr double kSide = 300;
  constexpr double kMargin = 30;
  const auto count = std::max<double>(1, static_cast<double>(map.places_a.size()));
  const auto at = [&](double place) {
    return kMargin + (kSide - 2 * kMargin) * (place + 0.5) / count;
  };
  std::string svg =
      opened(kSide, kSide, "Place of each patch among the tokens of " + map.a + " and of " + map.b);
  svg += line(kMargin, kSide - kMargin, kSide - kMargin, kSide - kMargin, "axis");
  svg += line(kMargin, kMargin, kMargin, kSide - kMargin, "axis");
  for (std::size_t i = 0; i < map.places_a.size(); ++i) {
    const bool same = map.places_a[i] == map.places_b[i];
    svg += fmt::format(
        "<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.5\"><title>patch {}: place {} in "
        "{}, {} in {}</title></circle>",
        same ? "equal" : "differs", at(map.places_a[i]), kSide - at(map.places_b[i]), i,
        map.places_a[i], html_text(map.a), map.places_b[i], html_text(map.b));
  }
  svg += label(kSide / 2, kSide - 8, "middle", "place in " + map.a);
  svg += label(kMargin, kMargin - 10, "middle", map.b);
  return svg + "</svg>";
}

std::string difference_histogram(const std::vector<std::uint64_t>& counts, int lowest_exponent) {
  constexpr double kBar = 7;
  constexpr double kTall = 36;
  const std::uint64_t most = counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
  if (most == 0) return "";
  const double width = kBar * static_cast<double>(counts.size());
  std::string svg = opened(width, kTall, "Elements by the size of their difference");
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    // Rare ones stay visible: heights go with the logarithm.
    const double height = kTall * std::log2(1.0 + static_cast<double>(counts[i])) /
                          std::log2(1.0 + static_cast<double>(most));
    const int exponent = lowest_exponent + static_cast<int>(i);
    svg += fmt::format(
        "<rect class=\"bar\" x=\"{:.0f}\" y=\"{:.1f}\" width=\"{:.0f}\" "
        "height=\"{:.1f}\"><title>2^{} to 2^{}: {}</title></rect>",
        kBar * static_cast<double>(i), kTall - height, kBar - 1, height, exponent, exponent + 1,
        grouped(counts[i]));
  }
  return svg + "</svg>";
}

}  // namespace samebits
