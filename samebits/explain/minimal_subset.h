// Delta debugging: of some items that together have an effect, a smallest part that has it alone.
//
// Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 2002
// (ddmin).
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <vector>

namespace samebits {

template <class Item>
struct MinimalSubset {
  std::vector<Item> items;
  bool minimal = true;  // false: `more` ended the search; some item may not be needed
};

/// Requires has_effect(items). The result has the effect, and no item of it can be left out. Stops
/// early where more() is false.
template <class Item>
MinimalSubset<Item> minimal_subset(std::vector<Item> items,
                                   const std::function<bool(const std::vector<Item>&)>& has_effect,
                                   const std::function<bool()>& more) {
  std::size_t parts = 2;
  while (items.size() > 1) {
    bool reduced = false;
    for (std::size_t part = 0; part < parts && !reduced; ++part) {
      const auto at = [&](std::size_t i) {
        return items.begin() + static_cast<std::ptrdiff_t>(i * items.size() / parts);
      };
      if (!more()) return {std::move(items), false};
      const std::vector<Item> chosen(at(part), at(part + 1));
      if (has_effect(chosen)) {
        items = chosen;
        parts = 2;
        reduced = true;
        break;
      }
      if (parts == 2) continue;  // the complement of a half is the other half
      if (!more()) return {std::move(items), false};
      std::vector<Item> rest(items.begin(), at(part));
      rest.insert(rest.end(), at(part + 1), items.end());
      if (has_effect(rest)) {
        items = std::move(rest);
        parts = std::max<std::size_t>(parts - 1, 2);
        reduced = true;
      }
    }
    if (reduced) continue;
    if (parts == items.size()) break;
    parts = std::min(items.size(), 2 * parts);
  }
  return {std::move(items), true};
}

}  // namespace samebits
