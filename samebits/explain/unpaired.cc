#include "samebits/explain/unpaired.h"

#include <algorithm>
#include <functional>
#include <set>
#include <string_view>

#include "samebits/compare/name_pieces.h"
#include "samebits/compare/reparametrized.h"
#include "samebits/compare/settled_verdict.h"
#include "samebits/explain/adapter_names.h"
#include "samebits/explain/architectures.h"

namespace samebits {
namespace {

using IsNoPair = std::function<bool(const TensorMatch&)>;

/// The names of one side that no match holds, in the order in which they are listed.
std::vector<std::string> unmatched(const Subject& subject, const std::set<std::uint32_t>& matched) {
  std::vector<std::string_view> names;
  const std::size_t count = subject.checkpoint->weights().weights.size();
  for (std::uint32_t i = 0; i < count; ++i) names.push_back(weight_name(subject, i));
  std::vector<std::string> alone;
  for (const std::uint32_t i : listing_order(names))
    if (!matched.contains(i)) alone.emplace_back(names[i]);
  return alone;
}

void unpair(const Report& report, WeightPair* pair, const IsNoPair& is_no_pair) {
  const Subject& a = subject_of(report, pair->a);
  const Subject& b = subject_of(report, pair->b);
  WeightComparison& comparison = pair->comparison;
  if (std::erase_if(comparison.matches, is_no_pair) == 0) return;
  std::set<std::uint32_t> of_a;
  std::set<std::uint32_t> of_b;
  comparison.matched = comparison.renamed = comparison.changed = 0;
  for (const TensorMatch& match : comparison.matches) {
    of_a.insert(match.a.begin(), match.a.end());
    of_b.insert(match.b.begin(), match.b.end());
    comparison.matched += match.a.size();
    const bool one_name = match.a.size() == 1 && match.b.size() == 1 &&
                          weight_name(a, match.a[0]) == weight_name(b, match.b[0]);
    if (!one_name) comparison.renamed += match.a.size();
    const bool differs = match.kind == MatchKind::changed || match.kind == MatchKind::exchanged;
    if (differs || match.in_place) comparison.changed += match.a.size();
  }
  comparison.only_a = unmatched(a, of_a);
  comparison.only_b = unmatched(b, of_b);
  settle_verdict(&comparison);
}

bool has_other_name(const Subject& a, const Subject& b, const TensorMatch& match) {
  return match.a.size() == 1 && match.b.size() == 1 &&
         weight_name(a, match.a[0]) != weight_name(b, match.b[0]);
}

}  // namespace

void settle_architectures(const Report& report, WeightPair* pair) {
  if (unlike_architectures(report, *pair).empty()) return;
  const Subject& a = subject_of(report, pair->a);
  const Subject& b = subject_of(report, pair->b);
  unpair(report, pair, [&](const TensorMatch& match) { return has_other_name(a, b, match); });
  pair->comparison.rules.clear();
}

void settle_factors(const Report& report, WeightPair* pair) {
  const Subject& a = subject_of(report, pair->a);
  const Subject& b = subject_of(report, pair->b);
  const auto is_one_factor = [](const std::string& x, const std::string& y) {
    return is_factor_name(x) != is_factor_name(y) ||
           adapter_part(x).has_value() != adapter_part(y).has_value();
  };
  unpair(report, pair, [&](const TensorMatch& match) {
    return has_other_name(a, b, match) &&
           is_one_factor(weight_name(a, match.a[0]), weight_name(b, match.b[0]));
  });
  // Parts of names: a factor's begins behind a dot.
  std::erase_if(pair->comparison.rules, [&](const RenameRule& rule) {
    return is_one_factor(rule.from, rule.to) || is_one_factor("x." + rule.from, "x." + rule.to);
  });
  if (pair->comparison.renamed == 0) pair->comparison.rules.clear();
}

}  // namespace samebits
