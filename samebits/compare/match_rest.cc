// The pairs whose bytes differ: who belongs to whom, and how their values are related.
#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "samebits/compare/alignment_state.h"
#include "samebits/compare/constant_tensor.h"
#include "samebits/compare/name_affinity.h"
#include "samebits/compare/name_pieces.h"
#include "samebits/compare/permuted_rows.h"
#include "samebits/compare/resized.h"
#include "samebits/compare/rounded_digest.h"
#include "samebits/compare/rounding.h"

namespace samebits {
namespace {

/// Tensors of both sides that may belong together.
struct OpenTensors {
  std::vector<std::uint32_t> a, b;
};

class Rest {
 public:
  explicit Rest(AlignmentState& state)
      : state_(state),
        paired_a_(state.a().tensors().size()),
        paired_b_(state.b().tensors().size()) {}

  void run() {
    for (const Misplaced& each : state_.misplaced()) holds_.try_emplace(each.link.b, each.link.a);
    pair_expected();
    pair_rounded();
    pair_expected();
    const std::size_t before = pairs_.size();
    pair_alike(false);
    if (has_few_left()) learn_from(before);
    pair_expected();
    if (has_few_left() && show_kinship()) pair_alike(true);
    compare_composed(true);
    compare_composed(false);
    classify();
  }

 private:
  bool open_a(std::uint32_t i) const { return state_.free_a(i) && !paired_a_[i]; }
  bool open_b(std::uint32_t i) const { return state_.free_b(i) && !paired_b_[i]; }

  void pair(std::uint32_t a, std::uint32_t b) {
    if (!open_a(a) || !open_b(b)) return;
    paired_a_[a] = paired_b_[b] = true;
    pairs_.push_back({a, b});
  }

  void pair_expected() {
    for (const std::uint32_t a : state_.all_free_a()) {
      if (!open_a(a)) continue;
      if (const auto b = state_.expected(a)) pair(a, *b);
    }
  }

  /// Names that say nothing, and a type that changed: the same values after rounding both to the
  /// narrower of the two types; then, of one type, to those that people round to.
  void pair_rounded() {
    const std::size_t before = pairs_.size();
    for (const DType type : {DType::float32, DType::bfloat16, DType::float16}) pair_rounded(type);
    learn_from(before);
  }

  /// Names that pair most of what is no constant, and not some of it by chance, pair constants too;
  /// also where one side has all its partners, and the other has more beside, as adapters do.
  bool has_few_left() const {
    bool few = true;
    for (const bool in_a : {true, false}) {
      const WeightSet& set = in_a ? state_.a() : state_.b();
      std::size_t left = 0;
      for (std::uint32_t i = 0; i < set.tensors().size(); ++i)
        left += (in_a ? open_a(i) : open_b(i)) && !set.is_constant(i) ? 1 : 0;
      if (left == 0) return true;
      few = few && left * 10 <= set.tensors().size();
    }
    return few;
  }

  bool only_constants_left() const {
    std::int64_t more_in_a = 0;
    for (const bool in_a : {true, false}) {
      const WeightSet& set = in_a ? state_.a() : state_.b();
      for (std::uint32_t i = 0; i < set.tensors().size(); ++i) {
        if (!(in_a ? open_a(i) : open_b(i))) continue;
        if (!set.is_constant(i)) return false;
        more_in_a += in_a ? 1 : -1;
      }
    }
    return more_in_a == 0;
  }

  bool show_kinship() const {
    return std::ranges::any_of(
        state_.matches(), [&](const TensorMatch& m) { return !state_.a().is_constant(m.a[0]); });
  }

  /// The rules that the pairs from here on teach as well.
  void learn_from(std::size_t first) {
    std::vector<NamePair> learnt = state_.renamed_pairs();
    for (std::size_t i = first; i < pairs_.size(); ++i)
      learnt.push_back({state_.a()[pairs_[i].a].name, state_.b()[pairs_[i].b].name});
    if (pairs_.size() > first) state_.learn_rules(learnt);
  }

  using Digests = std::map<std::pair<Shape, Digest128>, OpenTensors>;

  void pair_rounded(DType type) {
    Digests samples;
    for (const std::uint32_t i : open_floats(state_.a(), type, true))
      samples[{state_.a()[i].view.shape(), rounded_sample(state_.a()[i].view, type)}].a.push_back(
          i);
    if (samples.empty()) return;
    for (const std::uint32_t i : open_floats(state_.b(), type, false)) {
      const auto at =
          samples.find({state_.b()[i].view.shape(), rounded_sample(state_.b()[i].view, type)});
      if (at != samples.end()) at->second.b.push_back(i);
    }
    Digests whole;
    for (const auto& [key, members] : samples) {
      if (members.b.empty()) continue;
      for (const std::uint32_t i : members.a)
        whole[{key.first, rounded_digest(state_.a()[i].view, type)}].a.push_back(i);
      for (const std::uint32_t i : members.b)
        whole[{key.first, rounded_digest(state_.b()[i].view, type)}].b.push_back(i);
    }
    for (const auto& [key, members] : whole) {
      if (members.a.size() == 1 && members.b.size() == 1) pair(members.a[0], members.b[0]);
    }
  }

  // Floating tensors at least as wide as `type` without a partner, of a shape that the other side
  // still has.
  std::vector<std::uint32_t> open_floats(const WeightSet& set, DType type, bool is_a) const {
    const WeightSet& other = is_a ? state_.b() : state_.a();
    std::set<Shape> shapes;
    for (std::uint32_t i = 0; i < other.tensors().size(); ++i) {
      if (is_a ? open_b(i) : open_a(i)) shapes.insert(other[i].view.shape());
    }
    std::vector<std::uint32_t> found;
    for (std::uint32_t i = 0; i < set.tensors().size(); ++i) {
      const DType own = set[i].view.dtype();
      if ((is_a ? open_a(i) : open_b(i)) && can_round_to(own) && set[i].view.numel() > 1 &&
          itemsize(own) >= itemsize(type) && shapes.contains(set[i].view.shape()) &&
          !set.is_constant(i))
        found.push_back(i);
    }
    return found;
  }

  /// Same shape, alike names, the same numbers: the most alike first. Two constants need a rule, or
  /// one value, one kind of name ("q_bias" and "query.bias") and little else that is left.
  void pair_alike(bool constants) {
    constexpr double kAlike = 0.6;
    const double least = constants && !only_constants_left() ? 0.7 : kAlike;
    std::map<std::pair<Shape, std::vector<std::string>>, OpenTensors> groups;
    for (const std::uint32_t a : state_.all_free_a()) {
      const NamedTensor& tensor = state_.a()[a];
      if (open_a(a) && !state_.b().find(tensor.name))
        groups[{tensor.view.shape(), name_numbers(tensor.name)}].a.push_back(a);
    }
    for (const std::uint32_t b : state_.all_free_b()) {
      const NamedTensor& tensor = state_.b()[b];
      if (!open_b(b) || state_.a().find(tensor.name)) continue;
      const auto at = groups.find({tensor.view.shape(), name_numbers(tensor.name)});
      if (at != groups.end()) at->second.b.push_back(b);
    }
    if (groups.empty()) return;
    if (!both_) both_ = modules_of_both(state_.a(), state_.b());
    std::size_t untried = 0;
    for (const auto& [key, members] : groups) {
      const AlikePairs found =
          alike_pairs(names_of(state_.a(), members.a), names_of(state_.b(), members.b), least,
                      &state_.names_left);
      for (const AlikePair& each : found.pairs) {
        const std::uint32_t a = members.a[each.a];
        const std::uint32_t b = members.b[each.b];
        if (constants ? are_one_constant(a, b) : may_be_one(a, b)) pair(a, b);
      }
      if (!found.complete)
        untried += static_cast<std::size_t>(
            std::ranges::count_if(members.a, [&](std::uint32_t i) { return open_a(i); }));
    }
    if (untried > 0 && !constants)
      state_.names_unsearched.push_back(fmt::format(
          "{} without a partner {} not held against the name of every tensor of that "
          "shape in {}: there are too many",
          untried == 1 ? "1 tensor of " + state_.options().label_a
                       : fmt::format("{} tensors of {}", untried, state_.options().label_a),
          untried == 1 ? "was" : "were", state_.options().label_b));
  }

  bool are_constants(std::uint32_t a, std::uint32_t b) const {
    return state_.a().is_constant(a) && state_.b().is_constant(b);
  }

  bool may_be_one(std::uint32_t a, std::uint32_t b) const {
    return !are_constants(a, b) && !is_slip(state_.a()[a].name, state_.b()[b].name);
  }

  bool are_one_constant(std::uint32_t a, std::uint32_t b) const {
    const NamedTensor& x = state_.a()[a];
    const NamedTensor& y = state_.b()[b];
    return are_constants(a, b) && !is_slip(x.name, y.name) &&
           may_be_one_constant(x.name, x.view, y.name, y.view);
  }

  /// One of them stands where it does on both sides, and the other is misspelt.
  bool is_slip(std::string_view x, std::string_view y) const {
    const std::string_view of_x = module_around(x);
    const std::string_view of_y = module_around(y);
    const bool in_x = both_->contains(of_x);
    const bool in_y = both_->contains(of_y);
    return (in_x && in_y) || ((in_x || in_y) && x.substr(of_x.size()) == y.substr(of_y.size()));
  }

  static std::vector<std::string_view> names_of(const WeightSet& set,
                                                const std::vector<std::uint32_t>& members) {
    std::vector<std::string_view> names;
    for (const std::uint32_t i : members) names.push_back(set[i].name);
    return names;
  }

  /// Tensors of several roles against those that have them one by one, row by row: what remains
  /// here is changed or rounded in some part.
  void compare_composed(bool whole_is_b) {
    const WeightSet& set = whole_is_b ? state_.b() : state_.a();
    for (std::uint32_t whole = 0; whole < set.tensors().size(); ++whole) {
      if (!(whole_is_b ? open_b(whole) : open_a(whole)) || set[whole].roles.size() < 2) continue;
      const std::vector<std::uint32_t> parts = state_.of_roles(whole_is_b, set[whole].roles);
      const std::vector<ValuePair> pairs = slice_pairs(set[whole].view, parts, whole_is_b);
      if (pairs.empty()) continue;
      TensorMatch match = relate_composed(pairs);
      match.a = whole_is_b ? parts : std::vector{whole};
      match.b = whole_is_b ? std::vector{whole} : parts;
      state_.match(std::move(match));
    }
  }

  std::vector<ValuePair> slice_pairs(const TensorView& whole,
                                     const std::vector<std::uint32_t>& parts,
                                     bool whole_is_b) const {
    std::vector<ValuePair> pairs;
    std::int64_t row = 0;
    for (const std::uint32_t part : parts) {
      const TensorView& view = (whole_is_b ? state_.a() : state_.b())[part].view;
      if (view.shape().size() != whole.shape().size() || view.shape().empty()) return {};
      const auto slice = rows_of(whole, row, view.shape()[0]);
      if (!slice || slice->shape() != view.shape()) return {};
      row += view.shape()[0];
      pairs.push_back(whole_is_b ? ValuePair{view, *slice} : ValuePair{*slice, view});
      if (!have_numbers(pairs.back())) return {};
    }
    return row == whole.shape()[0] ? pairs : std::vector<ValuePair>();
  }

  static std::optional<TensorView> rows_of(const TensorView& view, std::int64_t first,
                                           std::int64_t count) {
    if (first + count > view.shape()[0]) return std::nullopt;
    Shape shape = view.shape();
    shape[0] = count;
    const std::uint64_t offset = view.byte_offset() / itemsize(view.dtype()) +
                                 static_cast<std::uint64_t>(first * view.strides()[0]);
    auto made = view.over(std::move(shape), view.strides(), offset);
    return made ? std::optional(*std::move(made)) : std::nullopt;
  }

  /// The kind and the statistics of the part that differs most.
  TensorMatch relate_composed(const std::vector<ValuePair>& pairs) const {
    const std::vector<ValueRelation> relations = relate_values(pairs, state_.threads());
    const std::set<DType> types = informative_roundings(pairs, relations);
    TensorMatch worst{.kind = MatchKind::rearranged, .how = "stacked, in another type"};
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      TensorMatch match{.kind = MatchKind::changed};
      name_relation(pairs[i], relations[i], types, &match);
      const bool worse =
          match.kind > worst.kind ||
          (match.stats && worst.stats && match.stats->relative_norm > worst.stats->relative_norm);
      if (match.kind == MatchKind::same_values || !worse) continue;
      if (match.kind == MatchKind::changed)
        match.how = fmt::format("part {} of {}", i + 1, pairs.size());
      worst = std::move(match);
    }
    return worst;
  }

  void classify() {
    std::vector<ValuePair> values;
    std::vector<std::size_t> which;
    std::vector<TensorMatch> found(pairs_.size());
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      const TensorView& a = view_a(pairs_[i]);
      const TensorView& b = view_b(pairs_[i]);
      found[i] = {.a = {pairs_[i].a},
                  .b = {pairs_[i].b},
                  .kind = MatchKind::changed,
                  .how = "",
                  .stats = {}};
      if (a.shape() != b.shape())
        found[i].how =
            fmt::format("shape {} became {}", shape_text(a.shape()), shape_text(b.shape()));
      if (const std::string part = common_part_text(a, b); !part.empty())
        found[i].how += "; " + part;
      if (a.dtype() != b.dtype())
        found[i].how += fmt::format("{}{} became {}", found[i].how.empty() ? "" : ", ",
                                    info(a.dtype()).torch, info(b.dtype()).torch);
      if (!have_numbers({a, b}) || is_unshown_reshape(pairs_[i])) continue;
      values.push_back({a, b});
      which.push_back(i);
    }
    const std::vector<ValueRelation> relations = relate_distinct_values(values, state_.threads());
    const std::set<DType> types = informative_roundings(values, relations);
    for (std::size_t i = 0; i < which.size(); ++i)
      name_relation(values[i], relations[i], types, &found[which[i]]);
    for (TensorMatch& match : found) {
      name_permutation(&match);
      name_exchange(&match);
      state_.match(std::move(match));
    }
  }

  const TensorView& view_a(const Link& link) const { return state_.a()[link.a].view; }
  const TensorView& view_b(const Link& link) const { return state_.b()[link.b].view; }

  // Two constants are equal in any shape, which shows no rearrangement.
  bool is_unshown_reshape(const Link& link) const {
    return !same_but_for_ones(view_a(link).shape(), view_b(link).shape()) &&
           state_.a().is_constant(link.a) && state_.b().is_constant(link.b);
  }

  /// The types to which tensors of many values were rounded. A tensor of few values (a norm's
  /// ones) is equal to the rounding of almost anything, and says so only in such company.
  std::set<DType> informative_roundings(const std::vector<ValuePair>& values,
                                        const std::vector<ValueRelation>& relations) const {
    std::set<DType> types;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto type = relations[i].rounded_b ? relations[i].rounded_b : relations[i].rounded_a;
      if (type && has_many_values(relations[i].rounded_b ? values[i].b : values[i].a))
        types.insert(*type);
    }
    return types;
  }

  /// Integers of one byte stand for numbers by a scale: how far they are from these says nothing.
  static bool is_code_of_the_other(DType a, DType b) {
    const DType integer = is_floating(a) ? b : a;
    return is_floating(a) != is_floating(b) && itemsize(integer) == 1;
  }

  void name_relation(const ValuePair& pair, const ValueRelation& relation,
                     const std::set<DType>& types, TensorMatch* match) const {
    const DType a = pair.a.dtype();
    const DType b = pair.b.dtype();
    const bool company = (relation.rounded_b && types.contains(*relation.rounded_b)) ||
                         (relation.rounded_a && types.contains(*relation.rounded_a)) ||
                         itemsize(a) != itemsize(b);
    if (relation.equal_numbers) {
      const bool one_shape = pair.a.shape() == pair.b.shape();
      match->kind = one_shape ? MatchKind::same_values : MatchKind::rearranged;
      // Constants, whose names alone make them a pair.
      const bool same_bytes = a == b && one_shape && relation.stats.differing == 0;
      if (same_bytes) match->kind = MatchKind::renamed;
      if (a == b && one_shape && !same_bytes)
        match->how = relation.minus_zeros > 0
                         ? relation.minus_zeros == 1
                               ? "-0 for 0 in 1 element"
                               : fmt::format("-0 for 0 in {} elements", relation.minus_zeros)
                         : "NaN with another payload";
      return;
    }
    if (!is_code_of_the_other(a, b)) match->stats = relation.stats;
    match->loss = company ? relation.loss : RoundingLoss{};
    if (relation.rounded_b && company) {
      match->kind = MatchKind::rounded;
      match->how = fmt::format("{} rounded to {}", info(a).torch, info(*relation.rounded_b).torch);
      if (b != *relation.rounded_b) match->how += fmt::format(", stored as {}", info(b).torch);
    } else if (relation.rounded_a && company) {
      match->kind = MatchKind::rounded;
      match->how =
          fmt::format("{} holds {}'s {} rounded to {}", state_.options().label_a,
                      state_.options().label_b, info(b).torch, info(*relation.rounded_a).torch);
    }
  }

  /// Rows (or heads) in another order: all values are there, and none where it belongs.
  void name_permutation(TensorMatch* match) const {
    if (match->kind != MatchKind::changed || !match->stats ||
        !is_permutation(match->stats->pattern))
      return;
    match->kind = MatchKind::exchanged;
    match->how = match->stats->pattern;
    state_.contrary.push_back({state_.a()[match->a[0]].name, "has " + match->how, *match});
  }

  void name_exchange(TensorMatch* match) const {
    const auto held = holds_.find(match->b[0]);
    if (held == holds_.end()) return;
    match->kind = MatchKind::exchanged;
    match->how = "holds the values of " + state_.a()[held->second].name;
  }

  AlignmentState& state_;
  std::vector<bool> paired_a_, paired_b_;
  std::optional<std::set<std::string, std::less<>>> both_;  // modules_of_both(), once one is asked
  std::vector<Link> pairs_;
  std::map<std::uint32_t, std::uint32_t>
      holds_;  // tensor of B, and the one of A whose bytes it has
};

}  // namespace

void match_rest(AlignmentState& state) {
  state.learn_rules();
  Rest(state).run();
}

}  // namespace samebits
