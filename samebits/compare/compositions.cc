// One tensor on one side, several on the other: query, key and value against a fused qkv.
#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include <fmt/format.h>

#include "samebits/compare/alignment_state.h"
#include "samebits/compare/name_pieces.h"

namespace samebits {
namespace {

constexpr std::size_t kMostParts = 4096;  // of one tensor: experts of a mixture have 1000

std::string twin_weight(const std::string& name) {  // "qkv.bias" to "qkv.weight"
  constexpr std::string_view kBias = "bias";
  if (!name.ends_with(kBias)) return "";
  return name.substr(0, name.size() - kBias.size()) + "weight";
}

/// Looks for tensors of `parts_` that make up one of `whole_`.
class Composer {
 public:
  Composer(AlignmentState& state, bool whole_is_b)
      : state_(state),
        whole_is_b_(whole_is_b),
        whole_(whole_is_b ? state.b() : state.a()),
        parts_(whole_is_b ? state.a() : state.b()) {}

  void run() {
    index_parts();
    // First those of which only one composition is possible; they teach the others.
    for (const bool only_certain : {true, false}) {
      for (const std::uint32_t whole : free_wholes()) try_whole(whole, only_certain);
    }
  }

 private:
  using Key = std::pair<DType, std::uint64_t>;
  struct Slice {
    std::uint64_t size = 0;
    std::vector<std::uint32_t> candidates;
  };

  std::vector<std::uint32_t> free_wholes() const {
    return whole_is_b_ ? state_.all_free_b() : state_.all_free_a();
  }
  bool free_part(std::uint32_t i) const {
    return whole_is_b_ ? state_.free_a(i) : state_.free_b(i);
  }

  static Shape behind(const Shape& shape) {
    return shape.empty() ? shape : Shape(shape.begin() + 1, shape.end());
  }

  // A part has the dimensions behind the first in common with its whole, or all of them.
  static bool can_be_part(const Shape& part, const Shape& whole) {
    return !whole.empty() &&
           (part == behind(whole) || (!part.empty() && behind(part) == behind(whole)));
  }

  void index_parts() {
    std::set<std::pair<DType, Shape>> wholes;
    for (const std::uint32_t i : free_wholes()) {
      const TensorView& view = whole_[i].view;
      if (!view.shape().empty()) wholes.emplace(view.dtype(), behind(view.shape()));
    }
    std::vector<std::uint32_t> wanted;
    for (const std::uint32_t i : whole_is_b_ ? state_.all_free_a() : state_.all_free_b()) {
      const TensorView& view = parts_[i].view;
      const bool fits =
          wholes.contains({view.dtype(), view.shape()}) ||
          (!view.shape().empty() && wholes.contains({view.dtype(), behind(view.shape())}));
      if (view.numel() > 0 && fits) wanted.push_back(i);
    }
    parts_.compute_digests(wanted, state_.threads());
    for (const std::uint32_t i : wanted) {
      const TensorView& view = parts_[i].view;
      by_size_[{view.dtype(), view.numel()}].push_back(i);
    }
  }

  // The sizes that its parts can have.
  std::vector<std::uint64_t> part_sizes(const TensorView& whole) const {
    std::vector<std::uint64_t> sizes;
    for (const auto& [key, members] : by_size_) {
      if (key.first == whole.dtype() && key.second < whole.numel() &&
          can_be_part(parts_[members[0]].view.shape(), whole.shape()))
        sizes.push_back(key.second);
    }
    std::sort(sizes.rbegin(), sizes.rend());
    return sizes;
  }

  std::vector<std::uint32_t> candidates_at(const TensorView& whole, std::uint64_t at,
                                           std::uint64_t size) const {
    std::vector<std::uint8_t> buffer;
    const Digest128 digest = fast_digest(whole.row_major_range(at, size, buffer));
    std::vector<std::uint32_t> found;
    for (const std::uint32_t i : by_size_.at({whole.dtype(), size})) {
      if (free_part(i) && parts_.digest(i) == digest) found.push_back(i);
    }
    return found;
  }

  // The slices of the whole from its start to its end, or nothing.
  std::vector<Slice> slices_of(const TensorView& whole) const {
    const std::vector<std::uint64_t> sizes = part_sizes(whole);
    std::vector<Slice> slices;
    for (std::uint64_t at = 0; at < whole.numel();) {
      Slice slice;
      for (const std::uint64_t size : sizes) {
        if (size > whole.numel() - at) continue;
        slice = {size, candidates_at(whole, at, size)};
        if (!slice.candidates.empty()) break;
      }
      if (slice.candidates.empty() || slices.size() == kMostParts) return {};
      at += slice.size;
      slices.push_back(std::move(slice));
    }
    return slices;
  }

  void try_whole(std::uint32_t whole, bool only_certain) {
    if (whole_[whole].view.numel() < 2) return;
    // A tensor of the other side under its name, or in its role, is a better partner.
    if (whole_is_b_ ? state_.back_by_name_or_role(whole).has_value()
                    : state_.by_name_or_role(whole).has_value())
      return;
    const std::vector<Slice> slices = slices_of(whole_[whole].view);
    if (slices.size() < 2) return;
    const bool certain = std::all_of(slices.begin(), slices.end(), [](const Slice& slice) {
      return slice.candidates.size() == 1;
    });
    if (only_certain && !certain) return;
    std::vector<std::uint32_t> parts;
    const std::vector<std::string> taught = taught_parts(whole);
    for (std::size_t i = 0; i < slices.size(); ++i) {
      const auto part =
          choose(slices[i], whole, taught.size() == slices.size() ? taught[i] : "", parts);
      if (!part) return;
      parts.push_back(*part);
    }
    accept(whole, parts);
  }

  // The names of the parts, by role or by what the weight of the same module is made of.
  std::vector<std::string> taught_parts(std::uint32_t whole) const {
    const std::string& name = whole_[whole].name;
    const auto known = recipes_.find(template_of(twin_weight(name)));
    if (known == recipes_.end()) return {};
    std::vector<std::string> names;
    for (const std::string& part : known->second) {
      const std::string weight = fill_template(part, name_numbers(name));
      if (!weight.ends_with("weight")) return {};
      names.push_back(weight.substr(0, weight.size() - 6) + "bias");
    }
    return names;
  }

  std::optional<std::uint32_t> choose(const Slice& slice, std::uint32_t whole,
                                      const std::string& taught,
                                      const std::vector<std::uint32_t>& used) const {
    std::optional<std::uint32_t> best;
    double best_score = -1;
    const std::vector<std::string>& roles = whole_[whole].roles;
    for (const std::uint32_t i : slice.candidates) {
      if (std::find(used.begin(), used.end(), i) != used.end()) continue;
      double score = affinity(parts_[i].name, whole_[whole].name);
      if (parts_[i].name == taught) score += 10;
      if (used.size() < roles.size() && parts_[i].roles == std::vector{roles[used.size()]})
        score += 10;
      if (score > best_score) best = i;
      best_score = std::max(best_score, score);
    }
    return best;
  }

  void accept(std::uint32_t whole, const std::vector<std::uint32_t>& parts) {
    std::vector<std::string> recipe;
    for (const std::uint32_t part : parts) recipe.push_back(template_of(parts_[part].name));
    recipes_.try_emplace(template_of(whole_[whole].name), std::move(recipe));
    TensorMatch match;
    match.a = whole_is_b_ ? parts : std::vector{whole};
    match.b = whole_is_b_ ? std::vector{whole} : parts;
    match.kind = MatchKind::rearranged;
    match.how = whole_is_b_ ? "stacked along dimension 0" : "cut along dimension 0";
    if (const std::string contrary = contrary_order(whole, parts); !contrary.empty()) {
      match.kind = MatchKind::exchanged;
      match.how = contrary;
      state_.contrary.push_back({whole_[whole].name, contrary, match});
    }
    state_.match(std::move(match));
  }

  /// "is stacked in the order key, query, value instead of query, key, value", or "" where the
  /// order is that of the roles, or of the letters in the whole's name, or nothing tells.
  std::string contrary_order(std::uint32_t whole, const std::vector<std::uint32_t>& parts) const {
    std::vector<std::string> found;
    for (const std::uint32_t part : parts) {
      const std::vector<std::string>& roles = parts_[part].roles;
      found.push_back(roles.size() == 1 ? roles[0] : "");
    }
    std::vector<std::string> wanted = whole_[whole].roles;
    const bool told_by_roles =
        wanted.size() == found.size() && std::find(found.begin(), found.end(), "") == found.end();
    if (!told_by_roles) {
      if (const std::string block = other_block(whole, parts); !block.empty())
        return "holds what belongs to block " + block;
      found = attention_letters(parts);
      wanted = wanted_letters(whole, found);
    }
    if (found == wanted || wanted.empty()) return "";
    const bool several_blocks = !of_one_block(found) || !of_one_block(wanted);
    const std::vector<std::string> order = short_roles(found, several_blocks);
    const std::vector<std::string> expected = short_roles(wanted, several_blocks);
    if (order == expected)
      return "holds what belongs to block " + found[0].substr(0, found[0].find(':'));
    return fmt::format("is stacked in the order {} instead of {}", fmt::join(order, ", "),
                       fmt::join(expected, ", "));
  }

  static bool of_one_block(const std::vector<std::string>& roles) {
    const auto block = [](const std::string& role) { return role.substr(0, role.find(':') + 1); };
    return std::ranges::all_of(
        roles, [&](const std::string& role) { return block(role) == block(roles[0]); });
  }

  // "query" for "3:query.weight", and "3:query" where the block matters.
  static std::vector<std::string> short_roles(const std::vector<std::string>& roles,
                                              bool with_block) {
    std::vector<std::string> names;
    for (std::string role : roles) {
      if (!with_block) role.erase(0, role.find(':') + 1);
      names.push_back(role.substr(0, role.rfind('.')));
    }
    return names;
  }

  // The number in a part's name, where it is not the whole's: blocks.0.qkv made of layer.1's parts.
  std::string other_block(std::uint32_t whole, const std::vector<std::uint32_t>& parts) const {
    const std::vector<std::string> own = name_numbers(whole_[whole].name);
    for (const std::uint32_t part : parts) {
      const std::vector<std::string> numbers = name_numbers(parts_[part].name);
      if (numbers.size() == own.size() && numbers != own)
        return fmt::format("{}", fmt::join(numbers, "."));
    }
    return "";
  }

  // "q", "k", "v" for parts whose names differ in just that; empty for others.
  std::vector<std::string> attention_letters(const std::vector<std::uint32_t>& parts) const {
    std::vector<std::string> letters;
    for (const std::uint32_t part : parts) {
      const Pieces own = split_name(parts_[part].name);
      const Pieces other = split_name(parts_[part == parts[0] ? parts.back() : parts[0]].name);
      const std::vector<Hunk> hunks = differing_hunks(own, other);
      if (hunks.size() != 1 || hunks[0].a_end != hunks[0].a_begin + 1) return {};
      const std::string letter(own[hunks[0].a_begin].substr(0, 1));
      if (std::string_view("qkv").find(letter) == std::string_view::npos) return {};
      letters.push_back(letter);
    }
    return letters;
  }

  // In the order in which a piece of the whole's name spells them ("qkv"), else q, k, v, as torch
  // stacks them in in_proj_weight.
  std::vector<std::string> wanted_letters(std::uint32_t whole,
                                          const std::vector<std::string>& found) const {
    if (found.empty()) return {};
    std::string sorted = std::accumulate(found.begin(), found.end(), std::string());
    std::string order = "qkv";
    std::sort(sorted.begin(), sorted.end());
    for (std::string spelt = sorted;;) {
      if (whole_[whole].name.find(spelt) != std::string::npos && spelt.size() > 1) order = spelt;
      if (!std::next_permutation(spelt.begin(), spelt.end())) break;
    }
    std::vector<std::string> wanted = found;
    std::stable_sort(wanted.begin(), wanted.end(), [&](const std::string& x, const std::string& y) {
      return order.find(x) < order.find(y);
    });
    return wanted;
  }

  AlignmentState& state_;
  bool whole_is_b_;
  WeightSet& whole_;
  WeightSet& parts_;
  std::map<Key, std::vector<std::uint32_t>> by_size_;
  std::map<std::string, std::vector<std::string>> recipes_;  // templates of weights
};

}  // namespace

void match_compositions(AlignmentState& state) {
  Composer(state, true).run();
  Composer(state, false).run();
}

}  // namespace samebits
