// Tensors that share their elements: saved once, twice, or apart.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "samebits/compare/alignment_state.h"

namespace samebits {
namespace {

using Group = std::vector<std::uint32_t>;

std::vector<Group> tied_groups(const WeightSet& set) {
  std::map<std::uint32_t, Group> groups;
  for (std::uint32_t i = 0; i < set.tensors().size(); ++i) groups[set.same_as(i)].push_back(i);
  std::vector<Group> tied;
  for (auto& [first, group] : groups) {
    if (group.size() > 1) tied.push_back(std::move(group));
  }
  return tied;
}

/// "a and b"; of many names the first.
std::string names_text(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 4;
  if (names.size() <= kMost) return fmt::format("{}", fmt::join(names, " and "));
  return fmt::format("{} and {} more", fmt::join(names.begin(), names.begin() + kMost - 1, ", "),
                     names.size() - kMost + 1);
}

/// One side's ties held against the other side.
class TieFinder {
 public:
  TieFinder(const WeightSet& own, const WeightSet& other,
            std::map<std::uint32_t, std::uint32_t> partner, bool own_is_a,
            const CompareOptions& options)
      : own_(own),
        other_(other),
        partner_(std::move(partner)),
        own_is_a_(own_is_a),
        own_label_(own_is_a ? options.label_a : options.label_b),
        other_label_(own_is_a ? options.label_b : options.label_a) {}

  void run(std::vector<TieDifference>* found) const {
    for (const Group& group : tied_groups(own_)) {
      std::vector<std::string> names;
      std::vector<std::string> partners;
      std::vector<std::uint32_t> there;
      for (const std::uint32_t i : group) {
        names.push_back(own_[i].name);
        const auto at = partner_.find(i);
        if (at == partner_.end()) continue;
        there.push_back(at->second);
        partners.push_back(other_[at->second].name);
      }
      if (there.empty()) continue;
      const bool tied_there = std::all_of(there.begin(), there.end(), [&](std::uint32_t i) {
        return other_.same_as(there[0]) == other_.same_as(i);
      });
      if (there.size() == group.size() && tied_there) continue;
      const std::string what =
          fmt::format("{} share one storage in {}", names_text(names), own_label_);
      const std::string but =
          there.size() < group.size()
              ? fmt::format("stand only as {} in {}", names_text(partners), other_label_)
              : fmt::format("are apart in {}", other_label_);
      TieDifference difference{names, partners, what + " and " + but};
      if (!own_is_a_) std::swap(difference.names_a, difference.names_b);
      found->push_back(std::move(difference));
    }
  }

 private:
  const WeightSet& own_;
  const WeightSet& other_;
  std::map<std::uint32_t, std::uint32_t> partner_;
  bool own_is_a_;
  const std::string& own_label_;
  const std::string& other_label_;
};

}  // namespace

std::vector<TieDifference> tie_differences(const WeightSet& a, const WeightSet& b,
                                           const std::vector<TensorMatch>& matches,
                                           const CompareOptions& options) {
  std::map<std::uint32_t, std::uint32_t> a_to_b;
  std::map<std::uint32_t, std::uint32_t> b_to_a;
  for (const TensorMatch& match : matches) {
    if (match.a.size() != 1 || match.b.size() != 1) continue;
    a_to_b[match.a[0]] = match.b[0];
    b_to_a[match.b[0]] = match.a[0];
  }
  std::vector<TieDifference> found;
  TieFinder(a, b, std::move(a_to_b), true, options).run(&found);
  TieFinder(b, a, std::move(b_to_a), false, options).run(&found);
  return found;
}

}  // namespace samebits
