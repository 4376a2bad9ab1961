#include "samebits/compare/trace.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "samebits/family/points.h"

namespace samebits {
namespace {

using Names = std::map<std::string, std::vector<std::uint32_t>>;

Names canonical_names(const Checkpoint& trace, const std::vector<std::uint32_t>& points,
                      const std::vector<bool>& used) {
  Names names;
  for (const std::uint32_t point : points) {
    if (!used[point]) names[canonical_point(trace.entries[point].path)].push_back(point);
  }
  return names;
}

}  // namespace

std::vector<std::uint32_t> trace_points(const Checkpoint& trace) {
  std::vector<std::uint32_t> points(trace.entries.size());
  std::iota(points.begin(), points.end(), 0U);
  std::map<std::string, std::size_t> place;
  for (const std::string& name : trace.trace_order) place.emplace(name, place.size());
  std::stable_sort(points.begin(), points.end(), [&](std::uint32_t x, std::uint32_t y) {
    const auto rank = [&](std::uint32_t point) {
      const auto at = place.find(trace.entries[point].path);
      return at == place.end() ? place.size() : at->second;
    };
    if (rank(x) != rank(y)) return rank(x) < rank(y);
    const PointPlace one = place_of_point(trace.entries[x].path);
    const PointPlace other = place_of_point(trace.entries[y].path);
    const bool known = one.is_known() && other.is_known();
    if (known || one.stage != other.stage) return one < other;
    return trace.entries[x].offset < trace.entries[y].offset;
  });
  return points;
}

bool has_known_order(const Checkpoint& trace) {
  return !trace.trace_order.empty() ||
         std::ranges::all_of(trace.entries, [](const StoredTensor& entry) {
           return place_of_point(entry.path).is_known();
         });
}

PointPairs match_points(const Checkpoint& a, const Checkpoint& b) {
  const std::vector<std::uint32_t> points_a = trace_points(a);
  const std::vector<std::uint32_t> points_b = trace_points(b);
  std::vector<bool> used_a(a.entries.size());
  std::vector<bool> used_b(b.entries.size());
  std::map<std::string, std::uint32_t> by_name;
  for (const std::uint32_t point : points_b) by_name[b.entries[point].path] = point;
  std::map<std::uint32_t, std::uint32_t> partner;
  const auto pair = [&](std::uint32_t x, std::uint32_t y) {
    partner[x] = y;
    used_a[x] = used_b[y] = true;
  };
  for (const std::uint32_t point : points_a) {
    const auto same = by_name.find(a.entries[point].path);
    if (same != by_name.end()) pair(point, same->second);
  }
  const Names names_b = canonical_names(b, points_b, used_b);
  for (const auto& [name, own] : canonical_names(a, points_a, used_a)) {
    const auto same = names_b.find(name);
    if (own.size() == 1 && same != names_b.end() && same->second.size() == 1)
      pair(own[0], same->second[0]);
  }
  PointPairs pairs;
  for (const std::uint32_t point : points_a) {
    if (used_a[point]) {
      pairs.matched.emplace_back(point, partner[point]);
    } else {
      pairs.only_a.push_back(a.entries[point].path);
    }
  }
  for (const std::uint32_t point : points_b) {
    if (!used_b[point]) pairs.only_b.push_back(b.entries[point].path);
  }
  return pairs;
}

}  // namespace samebits
