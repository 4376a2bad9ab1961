#include "samebits/compare/alignment.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "samebits/base/float_mode.h"
#include "samebits/compare/alignment_state.h"
#include "samebits/compare/name_pieces.h"
#include "samebits/compare/settled_verdict.h"

namespace samebits {
namespace {

bool differs(MatchKind kind) { return kind == MatchKind::changed || kind == MatchKind::exchanged; }

// No stats: another shape or type, which says most.
double weight_of_evidence(const TensorMatch& match) {
  if (!differs(match.kind)) return -1;
  return match.stats ? match.stats->relative_norm : std::numeric_limits<double>::infinity();
}

std::vector<std::uint32_t> order_of_names(const WeightSet& set) {
  std::vector<std::string_view> names;
  names.reserve(set.tensors().size());
  for (const NamedTensor& tensor : set.tensors()) names.push_back(tensor.name);
  return listing_order(names);
}

void sort_matches(const std::vector<std::uint32_t>& order, std::vector<TensorMatch>* matches) {
  std::vector<std::uint32_t> place(order.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) place[order[i]] = i;
  std::sort(matches->begin(), matches->end(), [&](const TensorMatch& x, const TensorMatch& y) {
    if (x.a.empty() || y.a.empty()) return x.a < y.a;
    return std::pair(place[x.a[0]], x.a) < std::pair(place[y.a[0]], y.a);
  });
  std::stable_sort(matches->begin(), matches->end(),
                   [](const TensorMatch& x, const TensorMatch& y) {
                     return weight_of_evidence(x) > weight_of_evidence(y);
                   });
}

void count_matches(const AlignmentState& state, const WeightSet& a, const WeightSet& b,
                   WeightComparison* comparison) {
  for (const TensorMatch& match : comparison->matches) {
    comparison->matched += match.a.size();
    const bool one_to_one = match.a.size() == 1 && match.b.size() == 1;
    if (!one_to_one || a[match.a[0]].name != b[match.b[0]].name)
      comparison->renamed += match.a.size();
    if (differs(match.kind) || match.in_place) comparison->changed += match.a.size();
    for (const std::uint32_t i : match.a) comparison->bytes_compared += a[i].view.nbytes();
    for (const std::uint32_t i : match.b) comparison->bytes_compared += b[i].view.nbytes();
  }
  if (!state.all_free_a().empty()) {
    for (const std::uint32_t i : order_of_names(a)) {
      if (state.free_a(i)) comparison->only_a.push_back(a[i].name);
    }
  }
  if (!state.all_free_b().empty()) {
    for (const std::uint32_t i : order_of_names(b)) {
      if (state.free_b(i)) comparison->only_b.push_back(b[i].name);
    }
  }
}

/// The beginnings of two names that differ in the number of a block alone: "layer.2." and
/// "layer.1." of "layer.2.fc.weight" and "layer.1.fc.weight".
std::optional<NamePair> renumbered_block(const std::string& from, const std::string& to) {
  const Pieces x = split_name(from), y = split_name(to);
  const auto at = renumbered_piece(x, y);
  if (!at || *at + 1 == x.size()) return std::nullopt;
  return NamePair{joined_pieces(x, 0, *at + 1), joined_pieces(y, 0, *at + 1)};
}

/// One rule for a block that has another number in B, in the place of one for each of its tensors.
std::vector<RenameRule> by_blocks(std::vector<RenameRule> rules) {
  std::vector<RenameRule> joined;
  std::map<std::string, std::size_t> places;
  for (RenameRule& rule : rules) {
    const auto block = renumbered_block(rule.from, rule.to);
    const auto [place, is_new] =
        places.try_emplace(block ? block->a + "\n" + block->b : rule.from, joined.size());
    if (!is_new) {
      joined[place->second].count += rule.count;
    } else if (block) {
      joined.push_back({block->a, block->b, rule.count});
    } else {
      joined.push_back(std::move(rule));
    }
  }
  return joined;
}

std::vector<RenameRule> rules_of(AlignmentState& state) {
  const std::vector<NamePair> pairs = state.renamed_pairs();
  std::vector<std::string> names;
  names.reserve(pairs.size());
  for (const NamePair& pair : pairs) names.push_back(pair.a);
  return by_blocks(state.rules_of_matches().used_by(names));
}

// Names on one side whose elements the other side has under a name that is tied to them, or
// computes.
bool only_tied(const WeightComparison& comparison) {
  std::set<std::string> tied;
  for (const ComputedAlone& table : comparison.computed) tied.insert(table.name);
  for (const TieDifference& tie : comparison.ties) {
    tied.insert(tie.names_a.begin(), tie.names_a.end());
    tied.insert(tie.names_b.begin(), tie.names_b.end());
  }
  const auto is_tied = [&](const std::string& name) { return tied.contains(name); };
  return std::all_of(comparison.only_a.begin(), comparison.only_a.end(), is_tied) &&
         std::all_of(comparison.only_b.begin(), comparison.only_b.end(), is_tied);
}

// Equal elements that mean something else: another scale, another dense size.
void mark_unlike(const WeightSet& a, const WeightSet& b, std::vector<TensorMatch>* matches) {
  const auto shown = [](const std::string& identity) {
    return identity.empty() ? std::string("a plain tensor") : identity;
  };
  for (TensorMatch& match : *matches) {
    if (match.a.size() != 1 || match.b.size() != 1) continue;
    const std::string& left = a[match.a[0]].identity;
    const std::string& right = b[match.b[0]].identity;
    if (left == right) continue;
    match.how = shown(left) + " against " + shown(right);
    if (!differs(match.kind)) match.stats.reset();
    match.kind = MatchKind::changed;
  }
}

WeightsVerdict verdict_of(const WeightComparison& comparison, bool values_unsearched) {
  const auto any = [&](MatchKind kind) {
    return std::any_of(comparison.matches.begin(), comparison.matches.end(),
                       [kind](const TensorMatch& match) { return match.kind == kind; });
  };
  if (!comparison.unreadable.empty()) return WeightsVerdict::unknown;
  if (comparison.changed > 0 || !comparison.exchanges.empty()) return WeightsVerdict::different;
  if (!only_tied(comparison))
    return values_unsearched ? WeightsVerdict::unknown : WeightsVerdict::different;
  if (any(MatchKind::rounded)) return WeightsVerdict::rounded;
  // A tensor that one side has under one name more is not the same set of tensors.
  const bool same_set = comparison.only_a.empty() && comparison.only_b.empty();
  if (!same_set || any(MatchKind::same_values) || any(MatchKind::rearranged))
    return WeightsVerdict::same_values;
  return WeightsVerdict::identical;
}

}  // namespace

const char* match_kind_name(MatchKind kind) {
  switch (kind) {
    case MatchKind::same: return "same";
    case MatchKind::renamed: return "renamed";
    case MatchKind::rearranged: return "rearranged";
    case MatchKind::same_values: return "same-values";
    case MatchKind::rounded: return "rounded";
    case MatchKind::exchanged: return "exchanged";
    case MatchKind::changed: return "changed";
  }
  return "";
}

const char* weights_verdict_name(WeightsVerdict verdict) {
  switch (verdict) {
    case WeightsVerdict::identical: return "identical";
    case WeightsVerdict::same_values: return "same-values";
    case WeightsVerdict::rounded: return "rounded";
    case WeightsVerdict::different: return "different";
    case WeightsVerdict::unknown: return "unknown";
  }
  return "";
}

void settle_verdict(WeightComparison* comparison) {
  comparison->verdict = verdict_of(*comparison, !comparison->unsearched.empty());
}

WeightComparison compare_weights(WeightSet& a, WeightSet& b, const CompareOptions& options) {
  const FloatMode contract;
  AlignmentState state(a, b, options);
  match_same_names(state);
  match_same_bytes(state);
  match_compositions(state);
  match_interchangeable(state);
  match_transposes(state);
  match_row_sets(state);
  match_rest(state);
  match_constant_modules(state);
  WeightComparison comparison;
  comparison.rules = rules_of(state);
  comparison.exchanges = describe_misplaced(a, b, state.misplaced());
  for (Exchange& exchange : describe_contrary(a, b, state.contrary))
    comparison.exchanges.push_back(std::move(exchange));
  comparison.unreadable = std::move(state.unreadable);
  comparison.matches = std::move(state.matches());
  mark_unlike(a, b, &comparison.matches);
  mark_in_place(a, b, &comparison.matches);
  sort_matches(order_of_names(a), &comparison.matches);
  count_matches(state, a, b, &comparison);
  comparison.ties = tie_differences(a, b, comparison.matches, options);
  comparison.unsearched = state.values_unsearched;
  comparison.unsearched.insert(comparison.unsearched.end(), state.names_unsearched.begin(),
                               state.names_unsearched.end());
  comparison.verdict = verdict_of(comparison, !state.values_unsearched.empty());
  return comparison;
}

}  // namespace samebits
