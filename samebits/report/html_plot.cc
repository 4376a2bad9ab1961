#include "samebits/report/html_plot.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "samebits/report/html_parts.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

constexpr double kWidth = 720, kHeight = 260, kLeft = 84, kRight = 12, kTop = 12, kBottom = 52;
constexpr std::size_t kPointName = 36;  // columns of a point's name under the axis

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

/// The title of the axis on the left, along it.
std::string axis_title(const std::string& text) {
  constexpr double kX = 14;
  const double y = (kTop + kHeight - kBottom) / 2;
  return fmt::format(
      "<text x=\"{0:.1f}\" y=\"{1:.1f}\" text-anchor=\"middle\" transform=\"rotate(-90 {0:.1f} "
      "{1:.1f})\">{2}</text>",
      kX, y, html_text(text));
}

std::string point_mark(const OutputPair& point, const Scale& scale, double x) {
  const bool finite = point.max_abs > 0 && std::isfinite(point.max_abs);
  const double y = finite ? scale.y(point.max_abs) : scale.base();
  const std::string what =
      point.differing == 0 ? "bit-identical"
                           : fmt::format("{} of {} elements, up to {}", grouped(point.differing),
                                         grouped(point.elements), short_number(point.max_abs));
  return (finite ? line(x, scale.base(), x, y, "stem") : "") +
         fmt::format(
             "<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\"><title>{}: "
             "{}</title></circle>",
             point.differing > 0 ? "differs" : "equal", x, y, html_text(point.point), what);
}

/// The numbers of the points under the axis, as many as have room.
std::string point_axis(std::size_t count, double step) {
  constexpr std::size_t kMostTicks = 20;
  std::string svg;
  std::size_t every = 1;
  for (const std::size_t wider : {2, 5, 10, 20, 50, 100, 200, 500, 1000}) {
    if (count <= every * kMostTicks) break;
    every = wider;
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (i != 0 && (i + 1) % every != 0) continue;
    svg += label(kLeft + step * (static_cast<double>(i) + 0.5), kHeight - kBottom + 20, "middle",
                 std::to_string(i + 1));
  }
  return svg;
}

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

/// Bars of a histogram over a logarithmic axis, and one beside them for what is not finite.
class ChangeBars {
 public:
  ChangeBars(const std::map<int, std::uint64_t>& counts, std::uint64_t infinite, int per_decade)
      : counts_(counts), infinite_(infinite), per_decade_(per_decade) {
    if (!counts.empty()) {
      low_ = counts.begin()->first;
      bars_ = counts.rbegin()->first - low_ + 1;
    }
    for (const auto& [bin, count] : counts) most_ = std::max(most_, count);
    most_ = std::max(most_, infinite);
    step_ = std::min(kWidest, (kWidth - kLeft - kRight) / (bars_ + (infinite > 0 ? 2 : 0)));
  }

  std::string svg() const {
    std::string svg = opened(kWidth, kHeight, "How many tensors changed by how much");
    for (const std::uint64_t tick : {most_ / 2, most_}) {
      if (tick == 0) continue;
      svg += line(kLeft, y(tick), kWidth - kRight, y(tick), "grid");
      svg += label(kLeft - 6, y(tick) + 4, "end", grouped(tick));
    }
    svg += line(kLeft, base(), kWidth - kRight, base(), "axis");
    svg += label(kLeft - 6, base() + 4, "end", "0");
    svg += axis_title("tensors");
    for (int i = 0; i <= bars_ && bars_ > 0; ++i) svg += edge(low_ + i, i);
    for (const auto& [bin, count] : counts_)
      svg += bar(bin - low_, count, fmt::format("{:.2g} to {:.2g}", value(bin), value(bin + 1)));
    if (infinite_ > 0) {
      svg += bar(bars_ + 1, infinite_, "from zeros, or not finite");
      svg += label(kLeft + step_ * (bars_ + 1.5), base() + 20, "middle", "no number");
    }
    svg += label((kLeft + kWidth - kRight) / 2, kHeight - 10, "middle",
                 "relative change, logarithmic");
    return svg + "</svg>";
  }

 private:
  static constexpr double kWidest = 60;
  static double base() { return kHeight - kBottom; }

  double value(int bin) const { return std::pow(10.0, static_cast<double>(bin) / per_decade_); }
  double y(std::uint64_t count) const {
    return base() - (base() - kTop) * static_cast<double>(count) / static_cast<double>(most_);
  }
  /// The number at the left edge of a bar: of decades, and of others where there is room.
  std::string edge(int bin, int place) const {
    constexpr int kRoomy = 14;
    const bool decade = bin % per_decade_ == 0;
    if (!decade && bars_ > kRoomy) return "";
    return label(kLeft + step_ * place, base() + 20, "middle", edge_text(value(bin)));
  }
  static std::string edge_text(double value) {
    return value < 10 ? fmt::format("{:.1g}", value) : fmt::format("{:.4g}", std::round(value));
  }
  std::string bar(int place, std::uint64_t count, const std::string& what) const {
    return fmt::format(
        "<rect class=\"bar\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\">"
        "<title>{}: {}</title></rect>",
        kLeft + step_ * place + 1, y(count), step_ - 2, base() - y(count), what,
        quantity(count, "tensor"));
  }

  const std::map<int, std::uint64_t>& counts_;
  std::uint64_t infinite_;
  int per_decade_;
  int low_ = 0, bars_ = 0;
  std::uint64_t most_ = 0;
  double step_ = kWidest;
};

std::optional<ByteUse> most_of(const std::map<ByteUse, double>& shares) {
  std::optional<ByteUse> most;
  double largest = 0;
  for (const auto& [use, share] : shares) {
    if (share > largest) most = use;
    largest = std::max(largest, share);
  }
  return most;
}

}  // namespace

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
  svg += axis_title(fmt::format("largest |{} - {}|", divergence.b, divergence.a));
  const double step =
      (kWidth - kLeft - kRight) / std::max<double>(1, static_cast<double>(points.size()));
  if (std::ranges::any_of(points, [](const OutputPair& p) { return p.floor_max_abs.has_value(); }))
    svg += floor_band(points, scale, step);
  for (std::size_t i = 0; i < points.size(); ++i)
    svg += point_mark(points[i], scale, kLeft + step * (static_cast<double>(i) + 0.5));
  svg += point_axis(points.size(), step);
  if (!points.empty()) {
    const std::string first = elide_middle(printable(points.front().point), kPointName);
    const std::string last = elide_middle(printable(points.back().point), kPointName);
    svg += label((kLeft + kWidth - kRight) / 2, kHeight - 10, "middle",
                 fmt::format("points in execution order, from {} to {}", first, last));
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

std::string change_histogram(const std::vector<double>& changes) {
  constexpr int kPerDecade = 2;
  std::map<int, std::uint64_t> counts;
  std::uint64_t infinite = 0;
  for (const double change : changes) {
    if (std::isfinite(change))
      ++counts[static_cast<int>(std::floor(std::log10(change) * kPerDecade))];
    else
      ++infinite;
  }
  return ChangeBars(counts, infinite, kPerDecade).svg();
}

std::string byte_map(const std::vector<ByteRange>& ranges) {
  constexpr double kMapHeight = 28;
  constexpr std::size_t kColumns = 360;
  const double end = static_cast<double>(ranges.back().end);
  // In each column what most of its bytes are for.
  std::vector<std::map<ByteUse, double>> shares(kColumns);
  for (const ByteRange& range : ranges) {
    const double begin = static_cast<double>(range.begin) / end * kColumns;
    const double stop = static_cast<double>(range.end) / end * kColumns;
    for (auto i = static_cast<std::size_t>(begin); i < kColumns && static_cast<double>(i) < stop;
         ++i)
      shares[i][range.use] +=
          std::min(stop, static_cast<double>(i + 1)) - std::max(begin, static_cast<double>(i));
  }
  std::string svg = opened(kWidth, kMapHeight, "What each part of the file is for");
  const double wide = kWidth / kColumns;
  for (std::size_t i = 0; i < kColumns;) {
    const auto use = most_of(shares[i]);
    std::size_t next = i + 1;
    while (next < kColumns && most_of(shares[next]) == use) ++next;
    if (use)
      svg += fmt::format(
          "<rect class=\"u{}\" x=\"{:.1f}\" y=\"0\" width=\"{:.1f}\" height=\"{:.0f}\">"
          "<title>{}</title></rect>",
          static_cast<int>(*use), wide * static_cast<double>(i),
          wide * static_cast<double>(next - i), kMapHeight, byte_use_name(*use));
    i = next;
  }
  return svg + "</svg>";
}

}  // namespace samebits
