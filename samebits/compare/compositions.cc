// One tensor on one side, several on the other: query, key and value against a fused qkv.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include <fmt/format.h>

#include "samebits/compare/alignment_state.h"
#include "samebits/compare/constant_tensor.h"
#include "samebits/compare/name_affinity.h"
#include "samebits/compare/name_pieces.h"
#include "samebits/compare/stacked_order.h"

namespace samebits {
namespace {

constexpr std::size_t kMostParts = 4096;  // of one tensor: experts of a mixture have 1000

std::string twin_weight(const std::string& name) {  // "qkv.bias" to "qkv.weight"
  constexpr std::string_view kBias = "bias";
  if (!name.ends_with(kBias)) return "";
  return name.substr(0, name.size() - kBias.size()) + "weight";
}

Shape behind(const Shape& shape) {
  return shape.empty() ? shape : Shape(shape.begin() + 1, shape.end());
}

/// The parts that can stand in wholes of one type and one shape behind the first dimension, by
/// their first elements.
class PartHeads {
 public:
  void add(const TensorView& view) {
    const std::size_t length = length_of(view.numel());
    std::vector<std::uint8_t> buffer;
    heads_[length][fast_digest(view.row_major_range(0, kLengths[length], buffer))].insert(
        view.numel());
  }

  // The sizes of the parts that can begin at this element of a whole, the largest first.
  std::vector<std::uint64_t> sizes_at(const TensorView& whole, std::uint64_t at) const {
    std::vector<std::uint64_t> sizes;
    std::vector<std::uint8_t> buffer;
    for (std::size_t length = 0; length < kLengths.size(); ++length) {
      if (heads_[length].empty() || kLengths[length] > whole.numel() - at) continue;
      const auto found =
          heads_[length].find(fast_digest(whole.row_major_range(at, kLengths[length], buffer)));
      if (found == heads_[length].end()) continue;
      const auto most = found->second.upper_bound(whole.numel() - at);
      sizes.insert(sizes.end(), found->second.begin(), most);
    }
    std::sort(sizes.rbegin(), sizes.rend());
    return sizes;
  }

 private:
  static constexpr std::array<std::uint64_t, 3> kLengths = {16, 4, 1};  // elements of a head

  static std::size_t length_of(std::uint64_t numel) {
    std::size_t length = 0;
    while (kLengths[length] > numel) ++length;
    return length;
  }

  std::array<std::map<Digest128, std::set<std::uint64_t>>, kLengths.size()> heads_;
};

/// Looks for tensors of `parts_` that make up one of `whole_`.
class Composer {
 public:
  Composer(AlignmentState& state, bool whole_is_b)
      : state_(state),
        whole_is_b_(whole_is_b),
        whole_(whole_is_b ? state.b() : state.a()),
        parts_(whole_is_b ? state.a() : state.b()) {}

  void run() {
    if (!index_parts()) return;
    // First those of which only one composition is possible; they teach the others.
    for (const bool only_certain : {true, false}) {
      for (const std::uint32_t whole : free_wholes()) try_whole(whole, only_certain);
    }
    for (const std::uint32_t whole : free_wholes()) stack_constants(whole);
    if (untried_ > 0)
      state_.values_unsearched.push_back(
          fmt::format("whether {} of {} {} stacked from others was not tried to the end: "
                      "too many begin with the same values",
                      untried_ == 1 ? "1 tensor" : fmt::format("{} tensors", untried_),
                      whole_is_b_ ? state_.options().label_b : state_.options().label_a,
                      untried_ == 1 ? "is" : "are"));
  }

 private:
  using ElementsKey = std::pair<DType, std::uint64_t>;
  using TailKey = std::pair<DType, Shape>;  // the shape behind the first dimension
  using Candidates = std::set<std::uint32_t>;
  struct Slice {
    std::uint64_t size = 0;
    const Candidates* candidates = nullptr;
  };

  std::vector<std::uint32_t> free_wholes() const {
    return whole_is_b_ ? state_.all_free_b() : state_.all_free_a();
  }

  // A tensor of the other side under its name, or in its role, is a better partner.
  bool has_partner(std::uint32_t whole) const {
    return whole_is_b_ ? state_.back_by_name_or_role(whole).has_value()
                       : state_.by_name_or_role(whole).has_value();
  }

  // The shapes behind the first dimension, and the most elements, of wholes that have no partner.
  std::map<TailKey, std::uint64_t> wanted_tails() const {
    std::map<TailKey, std::uint64_t> tails;
    for (const std::uint32_t i : free_wholes()) {
      const TensorView& view = whole_[i].view;
      if (view.shape().empty() || view.numel() < 2 || has_partner(i)) continue;
      std::uint64_t& most = tails[{view.dtype(), behind(view.shape())}];
      most = std::max(most, view.numel());
      bytes_left_.add(4 * view.nbytes());
    }
    return tails;
  }

  // Of each shape behind the first dimension of tails, those tails.
  static std::map<TailKey, std::vector<Shape>> longer_tails(
      const std::map<TailKey, std::uint64_t>& tails) {
    std::map<TailKey, std::vector<Shape>> longer;
    for (const auto& [key, most] : tails) {
      if (key.second.size() > 1) longer[{key.first, behind(key.second)}].push_back(key.second);
    }
    return longer;
  }

  // A part has the dimensions behind the first in common with its whole, or all of them, or those
  // behind the second: rows of one of several experts. False where nothing can be composed.
  bool index_parts() {
    const std::map<TailKey, std::uint64_t> tails = wanted_tails();
    const std::map<TailKey, std::vector<Shape>> longer = longer_tails(tails);
    std::vector<std::uint32_t> wanted;
    for (const std::uint32_t i : whole_is_b_ ? state_.all_free_a() : state_.all_free_b()) {
      const TensorView& view = parts_[i].view;
      bool fits = false;
      const auto add_under = [&](const Shape& tail) {
        const auto at = tails.find({view.dtype(), tail});
        if (at == tails.end() || view.numel() >= at->second) return;
        heads_[at->first].add(view);
        fits = true;
      };
      if (view.numel() == 0) continue;
      add_under(view.shape());
      if (!view.shape().empty()) add_under(behind(view.shape()));
      if (const auto at = longer.find({view.dtype(), behind(view.shape())}); at != longer.end())
        for (const Shape& tail : at->second)
          if (tail != view.shape()) add_under(tail);
      if (fits) wanted.push_back(i);
    }
    parts_.compute_digests(wanted, state_.threads());
    for (const std::uint32_t i : wanted)
      by_bytes_[{parts_[i].view.dtype(), parts_[i].view.numel()}][*parts_.digest(i)].insert(i);
    return !wanted.empty();
  }

  // The largest slice that begins here and that a part holds; nothing where there is none.
  Slice slice_at(const TensorView& whole, std::uint64_t at, const PartHeads& heads) {
    std::vector<std::uint8_t> buffer;
    for (const std::uint64_t size : heads.sizes_at(whole, at)) {
      if (size == whole.numel()) continue;
      if (!bytes_left_.take(size * itemsize(whole.dtype()))) {
        cut_short_ = true;
        return {};
      }
      const auto& of_size = by_bytes_.at({whole.dtype(), size});
      const auto found = of_size.find(fast_digest(whole.row_major_range(at, size, buffer)));
      if (found != of_size.end() && !found->second.empty()) return {size, &found->second};
    }
    return {};
  }

  // The slices of the whole from its start to its end, or nothing.
  std::vector<Slice> slices_of(const TensorView& whole) {
    const auto heads = heads_.find({whole.dtype(), behind(whole.shape())});
    if (heads == heads_.end()) return {};
    std::vector<Slice> slices;
    for (std::uint64_t at = 0; at < whole.numel();) {
      const Slice slice = slice_at(whole, at, heads->second);
      if (slice.size == 0 || slices.size() == kMostParts) return {};
      at += slice.size;
      slices.push_back(slice);
    }
    return slices;
  }

  void try_whole(std::uint32_t whole, bool only_certain) {
    if (whole_[whole].view.numel() < 2 || whole_[whole].view.shape().empty() || has_partner(whole))
      return;
    if (whole_.is_constant(whole)) return;
    cut_short_ = false;
    const std::vector<Slice> slices = slices_of(whole_[whole].view);
    if (cut_short_ && !only_certain) ++untried_;
    if (slices.size() < 2) return;
    const bool certain = std::all_of(slices.begin(), slices.end(), [](const Slice& slice) {
      return slice.candidates->size() == 1;
    });
    if (only_certain && !certain) return;
    std::vector<std::uint32_t> parts;
    std::set<std::uint32_t> used;
    const std::vector<std::string> taught = taught_parts(whole);
    for (std::size_t i = 0; i < slices.size(); ++i) {
      const auto part =
          choose(slices[i], whole, i, taught.size() == slices.size() ? taught[i] : "", used);
      if (!part) return;
      parts.push_back(*part);
      used.insert(*part);
    }
    const auto constant = [&](std::uint32_t part) { return parts_.is_constant(part); };
    if (std::ranges::all_of(parts, constant) && parts != named_parts(whole)) return;
    accept(whole, parts);
  }

  /// Constants are stacked from any others of their value, which shows nothing: only from those
  /// that names say.
  void stack_constants(std::uint32_t whole) {
    const TensorView& view = whole_[whole].view;
    if (view.numel() < 2 || has_partner(whole) || !whole_.is_constant(whole)) return;
    const std::vector<std::uint32_t> parts = named_parts(whole);
    std::uint64_t sum = 0;
    for (const std::uint32_t part : parts) {
      const Shape& shape = parts_[part].view.shape();
      const bool fits = shape == behind(view.shape()) || behind(shape) == behind(view.shape());
      if (!fits || !parts_.is_constant(part) || !same_first(parts_[part].view, view)) return;
      sum += parts_[part].view.numel();
    }
    if (parts.size() < 2 || sum != view.numel()) return;
    parts_.compute_digests(parts, state_.threads());
    accept(whole, parts);
  }

  std::vector<std::uint32_t> named_parts(std::uint32_t whole) const {
    std::vector<std::uint32_t> parts;
    for (const std::string& name : taught_parts(whole)) {
      const auto found = parts_.find(name);
      if (!found || !(whole_is_b_ ? state_.free_a(*found) : state_.free_b(*found))) return {};
      parts.push_back(*found);
    }
    return parts.empty() ? state_.of_roles(whole_is_b_, whole_[whole].roles) : parts;
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

  // Of parts with the same bytes the one whose name or role says that it belongs there.
  std::optional<std::uint32_t> choose(const Slice& slice, std::uint32_t whole, std::size_t place,
                                      const std::string& taught,
                                      const std::set<std::uint32_t>& used) {
    const Candidates& all = *slice.candidates;
    const auto usable = [&](std::optional<std::uint32_t> i) {
      return i && all.contains(*i) && !used.contains(*i);
    };
    if (const auto named = parts_.find(taught); usable(named)) return named;
    const std::vector<std::string>& roles = whole_[whole].roles;
    if (place < roles.size()) {
      const std::vector<std::uint32_t> found = state_.of_roles(whole_is_b_, {roles[place]});
      if (!found.empty() && usable(found[0])) return found[0];
    }
    constexpr std::size_t kMostLookedAt = 1024;
    std::optional<std::uint32_t> best;
    double best_score = -1;
    std::size_t looked_at = 0;
    for (const std::uint32_t i : all) {
      if (used.contains(i)) continue;
      const bool more = ++looked_at < kMostLookedAt && state_.names_left.take(1);
      if (!more) return best ? best : i;
      const double score = affinity(parts_[i].name, whole_[whole].name);
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
    const bool of_rows =
        parts_[parts[0]].view.shape() != behind(whole_[whole].view.shape()) &&
        behind(parts_[parts[0]].view.shape()) != behind(whole_[whole].view.shape());
    match.how = fmt::format("{} along {}", whole_is_b_ ? "stacked" : "cut",
                            of_rows ? "dimensions 0 and 1" : "dimension 0");
    std::vector<const NamedTensor*> stacked;
    for (const std::uint32_t part : parts) stacked.push_back(&parts_[part]);
    if (const std::string contrary = contrary_order(whole_[whole], stacked); !contrary.empty()) {
      match.kind = MatchKind::exchanged;
      match.how = contrary;
      state_.contrary.push_back({whole_[whole].name, contrary, match});
    }
    for (const std::uint32_t part : parts) {
      const TensorView& view = parts_[part].view;
      by_bytes_[{view.dtype(), view.numel()}][*parts_.digest(part)].erase(part);
    }
    state_.match(std::move(match));
  }

  AlignmentState& state_;
  bool whole_is_b_;
  WeightSet& whole_;
  WeightSet& parts_;
  std::map<TailKey, PartHeads> heads_;
  std::map<ElementsKey, std::map<Digest128, Candidates>> by_bytes_;
  // Of slices whose digests are taken: in real weights first elements tell parts apart.
  mutable WorkBudget bytes_left_{64 << 20};
  bool cut_short_ = false;
  std::size_t untried_ = 0;
  std::map<std::string, std::vector<std::string>> recipes_;  // templates of weights
};

}  // namespace

void match_compositions(AlignmentState& state) {
  Composer(state, true).run();
  Composer(state, false).run();
}

}  // namespace samebits
