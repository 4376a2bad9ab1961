// Of links between equal bytes under unlike names, those that modules and numbers contradict.
#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

#include "samebits/compare/alignment_state.h"
#include "samebits/compare/name_pieces.h"

namespace samebits {
namespace {

using NameNumbers = std::vector<std::uint64_t>;

/// "layer1.0.conv2.weight" as "layer#.#.conv#.weight" and 1, 0, 2.
struct CountedName {
  explicit CountedName(std::string_view name) {
    constexpr std::size_t kMostDigits = 18;
    for (std::size_t i = 0; i < name.size();) {
      std::size_t end = i;
      while (end < name.size() && name[end] >= '0' && name[end] <= '9') ++end;
      if (end == i) {
        text += name[i++];
        continue;
      }
      const std::string digits(name.substr(i, std::min(end - i, kMostDigits)));
      numbers.push_back(std::stoull(digits));
      text += '#';
      i = end;
    }
  }

  std::string text;
  NameNumbers numbers;
};

/// Tensors whose names are alike but for their numbers, on both sides.
class CountedLinks {
 public:
  void add(std::size_t link, NameNumbers from, NameNumbers to) {
    links_.push_back(link);
    from_.push_back(std::move(from));
    to_.push_back(std::move(to));
  }

  /// For each link that of these whose place it should have, where the numbers of most keep their
  /// order and those of some do not. Nothing where all keep it, or most do not.
  std::map<std::size_t, std::size_t> out_of_order() const {
    constexpr std::size_t kFewest = 4;
    constexpr std::size_t kMostNumbers = 4;
    if (links_.size() < kFewest || from_[0].size() > kMostNumbers) return {};
    std::vector<std::size_t> taken(from_[0].size());
    std::iota(taken.begin(), taken.end(), 0);
    std::map<std::size_t, std::size_t> fewest;
    bool first = true;
    do {  // the experts of a block, or the blocks of an expert
      auto found = in_another_place(taken);
      if (first || found.size() < fewest.size()) fewest = std::move(found);
      first = false;
    } while (std::next_permutation(taken.begin(), taken.end()));
    if (fewest.size() * 2 > links_.size()) fewest.clear();
    return fewest;
  }

 private:
  std::map<std::size_t, std::size_t> in_another_place(const std::vector<std::size_t>& taken) const {
    std::vector<std::size_t> by_from(links_.size());
    std::iota(by_from.begin(), by_from.end(), 0);
    std::vector<std::size_t> by_to = by_from;
    const auto permuted = [&](std::size_t i) {
      NameNumbers numbers;
      for (const std::size_t at : taken) numbers.push_back(from_[i][at]);
      return numbers;
    };
    std::ranges::sort(by_from, {}, permuted);
    std::ranges::sort(by_to, [&](std::size_t x, std::size_t y) { return to_[x] < to_[y]; });
    std::map<std::size_t, std::size_t> found;
    for (std::size_t i = 0; i < links_.size(); ++i)
      if (by_from[i] != by_to[i]) found[links_[by_from[i]]] = links_[by_to[i]];
    return found;
  }

  std::vector<std::size_t> links_;
  std::vector<NameNumbers> from_, to_;
};

bool has_digit(std::string_view text) {
  return text.find_first_of("0123456789") != std::string_view::npos;
}

void take_gone(const std::vector<bool>& gone, std::vector<Link>* links) {
  std::vector<Link> kept;
  for (std::size_t i = 0; i < links->size(); ++i)
    if (!gone[i]) kept.push_back((*links)[i]);
  *links = std::move(kept);
}

class ApartModules {
 public:
  ApartModules(const WeightSet& a, const WeightSet& b, std::vector<Link>* links)
      : a_(a), b_(b), links_(*links), gone_(links->size()) {
    for (const Link& link : links_)
      ++votes_[module_of(a_[link.a].name)][module_of(b_[link.b].name)];
  }

  /// Takes these out of the links.
  void take(std::vector<Misplaced>* misplaced) {
    for (std::size_t i = 0; i < links_.size(); ++i) {
      const std::string leaf = leaf_of(a_[links_[i].a].name), other = leaf_of(b_[links_[i].b].name);
      const std::string from = module_of(a_[links_[i].a].name);
      const std::string place = module_of(b_[links_[i].b].name);
      const std::string home = home_of_others(from, place);
      const Shape& shape = a_[links_[i].a].view.shape();
      if (!home.empty() && home != place) {
        pair_up({shape, leaf, "", home, place}, {shape, leaf, "", place, home}, i, misplaced);
      } else if (leaf != other) {
        pair_up({shape, leaf, other, from, place}, {shape, other, leaf, from, place}, i, misplaced);
      }
    }
    take_gone(gone_, &links_);
  }

 private:
  using Kind = std::tuple<Shape, std::string, std::string, std::string, std::string>;

  /// The module to which all others of a module lead; "" where they lead to several.
  std::string home_of_others(const std::string& from, const std::string& place) const {
    std::string home;
    for (const auto& [to, count] : votes_.at(from)) {
      if (count == 0 || (to == place && count == 1)) continue;
      if (!home.empty()) return "";
      home = to;
    }
    return home;
  }

  void pair_up(const Kind& own, const Kind& other, std::size_t i,
               std::vector<Misplaced>* misplaced) {
    const auto found = waiting_.find(other);
    if (found == waiting_.end()) {
      waiting_[own] = i;
      return;
    }
    const Link x = links_[found->second], y = links_[i];
    misplaced->push_back({x, y.b});
    misplaced->push_back({y, x.b});
    gone_[i] = gone_[found->second] = true;
    for (const auto& [from, to, home] : {std::tuple(x.a, x.b, y.b), std::tuple(y.a, y.b, x.b)}) {
      --votes_[module_of(a_[from].name)][module_of(b_[to].name)];
      ++votes_[module_of(a_[from].name)][module_of(b_[home].name)];
    }
    waiting_.erase(found);
  }

  const WeightSet& a_;
  const WeightSet& b_;
  std::vector<Link>& links_;
  std::vector<bool> gone_;
  std::map<std::string, std::map<std::string, std::size_t>> votes_;
  std::map<Kind, std::size_t> waiting_;
};

}  // namespace

void take_apart_modules(const WeightSet& a, const WeightSet& b, std::vector<Link>* links,
                        std::vector<Misplaced>* misplaced) {
  ApartModules(a, b, links).take(misplaced);
}

void take_out_of_order(const WeightSet& a, const WeightSet& b, std::vector<Link>* links,
                       std::vector<Misplaced>* misplaced) {
  std::map<std::pair<std::string, std::string>, CountedLinks> groups;
  for (std::size_t i = 0; i < links->size(); ++i) {
    const std::string& from = a[(*links)[i].a].name;
    const std::string& to = b[(*links)[i].b].name;
    // "onnx::MatMul_812", "parameters.12": numbers that are no places.
    if (has_digit(leaf_of(from)) || has_digit(leaf_of(to))) continue;
    CountedName x(from), y(to);
    groups[{x.text, y.text}].add(i, std::move(x.numbers), std::move(y.numbers));
  }
  std::vector<bool> gone(links->size());
  for (const auto& [texts, group] : groups) {
    const auto found = group.out_of_order();
    const auto fits = [&](const auto& each) {
      return a[(*links)[each.first].a].view.shape() == b[(*links)[each.second].b].view.shape();
    };
    if (!std::ranges::all_of(found, fits)) continue;
    for (const auto& [own, home] : found) {
      misplaced->push_back({(*links)[own], (*links)[home].b});
      gone[own] = true;
    }
  }
  take_gone(gone, links);
}

}  // namespace samebits
