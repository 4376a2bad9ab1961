// Tensors that share their elements: saved once, twice, or apart.
#include <algorithm>
#include <map>
#include <set>
#include <span>

#include <fmt/format.h>

#include "samebits/compare/alignment_state.h"
#include "samebits/compare/name_pieces.h"

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

/// The path of a name to the first number that is another in `mate`, with its dot: the block in
/// which it stands. "" where they differ in more than numbers.
std::string block_apart(const std::string& name, const std::string& mate) {
  const Pieces own = split_name(name);
  const Pieces other = split_name(mate);
  if (name == mate || template_of(name) != template_of(mate)) return "";
  std::string block;
  for (std::size_t i = 0; i < own.size(); ++i) {
    block += own[i];
    if (own[i] != other[i]) break;
  }
  return block;
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
        other_label_(own_is_a ? options.label_b : options.label_a) {
    for (const auto& [index, other_index] : partner_) matched_.insert(own_[index].name);
  }

  void run(std::vector<TieDifference>* found) const {
    for (const Group& group : tied_groups(own_)) {
      std::vector<std::string> names;
      std::vector<std::string> partners;
      std::vector<std::uint32_t> there;
      for (const std::uint32_t i : group) {
        if (is_of_further_block(i, group)) continue;
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
      if (there.size() == names.size() && tied_there) continue;
      const std::string what =
          fmt::format("{} share one storage in {}", names_text(names), own_label_);
      const std::string but =
          there.size() < names.size()
              ? fmt::format("stand only as {} in {}", names_text(partners), other_label_)
              : fmt::format("are apart in {}", other_label_);
      TieDifference difference{names, partners, what + " and " + but};
      if (!own_is_a_) std::swap(difference.names_a, difference.names_b);
      found->push_back(std::move(difference));
    }
  }

 private:
  /// A tensor without a partner that shares its elements with another block of a numbered list,
  /// where the other side has nothing of its own block: that is a block more, and no second name.
  bool is_of_further_block(std::uint32_t index, const Group& group) const {
    constexpr std::size_t kMostMates = 64;
    if (partner_.contains(index)) return false;
    for (const std::uint32_t mate : std::span(group).first(std::min(group.size(), kMostMates))) {
      const std::string block = block_apart(own_[index].name, own_[mate].name);
      if (block.empty()) continue;
      const auto at = matched_.lower_bound(std::string_view(block));
      if (at == matched_.end() || !at->starts_with(block)) return true;
    }
    return false;
  }

  const WeightSet& own_;
  const WeightSet& other_;
  std::map<std::uint32_t, std::uint32_t> partner_;
  std::set<std::string_view> matched_;  // own names with a partner
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
