#include "samebits/explain/factored_findings.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "samebits/compare/reparametrized.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

/// What rounding to float32 leaves of a product and a division.
constexpr double kRoundingOfFactors = 1e-6;

struct FactoredPair {
  FactoredWeight weight;
  std::string whole;  // its name on the other side
  std::optional<double> distance;
};

/// The name that a weight of one side has on the other, but for the prefix of all.
std::string name_across(const WeightComparison& comparison, std::string name, bool from_b) {
  for (const RenameRule& rule : comparison.rules) {
    const std::string& own = from_b ? rule.to : rule.from;
    const std::string& other = from_b ? rule.from : rule.to;
    if (!rule.from.empty() && !rule.to.empty()) continue;
    if (name.starts_with(own)) return other + name.substr(own.size());
  }
  return name;
}

std::vector<FactoredPair> factored_pairs(const Subject& holder, const Subject& other,
                                         const WeightComparison& comparison, bool holder_is_b) {
  const WeightSet own = weight_set(*holder.checkpoint, holder.checkpoint->weights());
  const WeightSet whole = weight_set(*other.checkpoint, other.checkpoint->weights());
  std::vector<FactoredPair> found;
  for (FactoredWeight& weight : factored_weights(own)) {
    const std::string name = name_across(comparison, weight.name, holder_is_b);
    const auto at = whole.find(name);
    if (!at || !whole[*at].readable) continue;
    const auto distance = distance_from_factors(whole[*at].view, weight, own);
    found.push_back({std::move(weight), name, distance});
  }
  return found;
}

std::string computed_text(const std::vector<FactoredPair>& pairs, const std::string& label) {
  double largest = 0;
  for (const FactoredPair& pair : pairs) {
    if (!pair.distance) return "what its code makes of them was not computed";
    largest = std::max(largest, *pair.distance);
  }
  const std::string amount = fmt::format("{:.2g} of the largest element", largest);
  if (largest <= kRoundingOfFactors)
    return fmt::format("computed from the factors, they are those of {} up to rounding ({})", label,
                       amount);
  return fmt::format("computed from the factors, they differ from those of {}, by up to {}", label,
                     amount);
}

std::string factors_remedy(Factoring factoring) {
  if (factoring == Factoring::pruning)
    return "torch.nn.utils.prune.remove(module, name) before saving leaves the weight itself";
  return "Remove it before saving (torch.nn.utils.parametrize.remove_parametrizations; "
         "remove_weight_norm or remove_spectral_norm of the older ones), or load it into a model "
         "that has it";
}

void add_factored(Report& report, const WeightPair& pair, const Subject& holder,
                  const Subject& other, const std::vector<FactoredPair>& pairs,
                  std::set<std::string>* accounted) {
  std::vector<std::string> names;
  for (const FactoredPair& each : pairs) {
    names.push_back(each.whole);
    accounted->insert(each.whole);
    accounted->insert(each.weight.factors.begin(), each.weight.factors.end());
  }
  const FactoredWeight& first = pairs[0].weight;
  Finding finding{.cause = "weights.layout",
                  .role = Role::cause,
                  .proof = Proof::observed,
                  .subjects = {pair.a, pair.b}};
  finding.summary = fmt::format(
      "{} of {} {} in {} as factors ({}): {} is computed from {}", counted(names.size(), "weight"),
      other.label, names.size() == 1 ? "stands" : "stand", holder.label,
      factoring_name(first.factoring), pairs[0].whole, some_of(first.factors));
  finding.details.push_back(computed_text(pairs, other.label));
  const Json dense = "dense";
  const Json kind = factoring_name(first.factoring);
  finding.evidence = {{"count", names.size()},
                      {"tensors", name_list(names)},
                      {"layouts", holder.label == pair.a ? Json{kind, dense} : Json{dense, kind}}};
  finding.remedy = factors_remedy(first.factoring);
  add_finding(report, std::move(finding));
}

}  // namespace

std::set<std::string> find_factored(Report& report, const WeightPair& pair) {
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  std::set<std::string> accounted;
  for (const bool in_b : {false, true}) {
    const Subject& holder = in_b ? b : a;
    const Subject& other = in_b ? a : b;
    const auto pairs = factored_pairs(holder, other, pair.comparison, in_b);
    if (!pairs.empty()) add_factored(report, pair, holder, other, pairs, &accounted);
  }
  return accounted;
}

}  // namespace samebits
