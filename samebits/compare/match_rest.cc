// The pairs whose bytes differ: who belongs to whom, and how their values are related.
#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "samebits/compare/alignment_state.h"
#include "samebits/compare/name_pieces.h"
#include "samebits/compare/rounded_digest.h"
#include "samebits/compare/rounding.h"

namespace samebits {
namespace {

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
    pair_alike();
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
    std::vector<NamePair> learnt = state_.renamed_pairs();
    const std::size_t before = pairs_.size();
    for (const DType type : {DType::float32, DType::bfloat16, DType::float16}) {
      std::map<std::pair<Shape, Digest128>,
               std::pair<std::vector<std::uint32_t>, std::vector<std::uint32_t>>>
          classes;
      for (const std::uint32_t i : open_floats(state_.a(), type, true))
        classes[{state_.a()[i].view.shape(), rounded_digest(state_.a()[i].view, type)}]
            .first.push_back(i);
      if (classes.empty()) continue;
      for (const std::uint32_t i : open_floats(state_.b(), type, false))
        classes[{state_.b()[i].view.shape(), rounded_digest(state_.b()[i].view, type)}]
            .second.push_back(i);
      for (const auto& [key, members] : classes) {
        if (members.first.size() == 1 && members.second.size() == 1)
          pair(members.first[0], members.second[0]);
      }
    }
    for (std::size_t i = before; i < pairs_.size(); ++i)
      learnt.push_back({state_.a()[pairs_[i].a].name, state_.b()[pairs_[i].b].name});
    if (pairs_.size() > before) state_.learn_rules(learnt);
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
          itemsize(own) >= itemsize(type) && shapes.contains(set[i].view.shape()))
        found.push_back(i);
    }
    return found;
  }

  /// Same shape, alike names, the same numbers: the most alike first.
  void pair_alike() {
    constexpr double kAlike = 0.6;
    constexpr std::size_t kMostPairs = 1'000'000;
    std::map<Shape, std::vector<std::uint32_t>> of_b;
    for (const std::uint32_t b : state_.all_free_b()) {
      if (open_b(b) && !state_.a().find(state_.b()[b].name))
        of_b[state_.b()[b].view.shape()].push_back(b);
    }
    std::vector<std::pair<double, Link>> ranked;
    for (const std::uint32_t a : state_.all_free_a()) {
      const auto at = of_b.find(state_.a()[a].view.shape());
      if (!open_a(a) || at == of_b.end() || state_.b().find(state_.a()[a].name)) continue;
      for (const std::uint32_t b : at->second) {
        const std::string& x = state_.a()[a].name;
        const std::string& y = state_.b()[b].name;
        const double score = affinity(x, y);
        if (score >= kAlike && name_numbers(x) == name_numbers(y) && ranked.size() < kMostPairs)
          ranked.push_back({score, {a, b}});
      }
    }
    std::stable_sort(ranked.begin(), ranked.end(),
                     [](const auto& x, const auto& y) { return x.first > y.first; });
    for (const auto& [score, link] : ranked) pair(link.a, link.b);
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
      if (a.dtype() != b.dtype())
        found[i].how += fmt::format("{}{} became {}", found[i].how.empty() ? "" : ", ",
                                    info(a.dtype()).torch, info(b.dtype()).torch);
      if (!have_numbers({a, b})) continue;
      values.push_back({a, b});
      which.push_back(i);
    }
    const std::vector<ValueRelation> relations = relate_values(values, state_.threads());
    const std::set<DType> types = informative_roundings(values, relations);
    for (std::size_t i = 0; i < which.size(); ++i)
      name_relation(values[i], relations[i], types, &found[which[i]]);
    for (TensorMatch& match : found) {
      name_exchange(&match);
      state_.match(std::move(match));
    }
  }

  const TensorView& view_a(const Link& link) const { return state_.a()[link.a].view; }
  const TensorView& view_b(const Link& link) const { return state_.b()[link.b].view; }

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

  void name_relation(const ValuePair& pair, const ValueRelation& relation,
                     const std::set<DType>& types, TensorMatch* match) const {
    const DType a = pair.a.dtype();
    const DType b = pair.b.dtype();
    const bool company = (relation.rounded_b && types.contains(*relation.rounded_b)) ||
                         (relation.rounded_a && types.contains(*relation.rounded_a)) ||
                         itemsize(a) != itemsize(b);
    if (relation.equal_numbers) {
      match->kind =
          pair.a.shape() == pair.b.shape() ? MatchKind::same_values : MatchKind::rearranged;
      if (a == b && pair.a.shape() == pair.b.shape())
        match->how = relation.minus_zeros > 0
                         ? fmt::format("-0 for 0 in {} elements", relation.minus_zeros)
                         : "NaN with another payload";
      return;
    }
    match->stats = relation.stats;
    if (relation.rounded_b && company) {
      match->kind = MatchKind::rounded;
      match->how = fmt::format("{} rounded to {}", info(a).torch, info(*relation.rounded_b).torch);
      if (b != *relation.rounded_b) match->how += fmt::format(", stored as {}", info(b).torch);
    } else if (relation.rounded_a && company) {
      match->kind = MatchKind::rounded;
      match->how = fmt::format("the left side is the right side's {} rounded to {}", info(b).torch,
                               info(*relation.rounded_a).torch);
    }
  }

  void name_exchange(TensorMatch* match) const {
    const auto held = holds_.find(match->b[0]);
    if (held == holds_.end()) return;
    match->kind = MatchKind::exchanged;
    match->how = "holds the values of " + state_.a()[held->second].name;
  }

  AlignmentState& state_;
  std::vector<bool> paired_a_, paired_b_;
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
