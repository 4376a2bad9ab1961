#include "samebits/explain/factored_findings.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "samebits/compare/equal_bytes.h"
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
  bool is_original = false;  // the other side's weight is the factor that is its matrix
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

/// Whether the first factor is the weight as it was before.
bool has_matrix(Factoring factoring) {
  return factoring == Factoring::pruning || factoring == Factoring::spectral_norm;
}

bool holds_equal(const WeightSet& set, const std::string& name, const TensorView& view) {
  const NamedTensor& tensor = set[set.find(name).value()];
  return tensor.readable && tensor.view.dtype() == view.dtype() &&
         tensor.view.shape() == view.shape() && equal_bytes({{&tensor.view, &view}}, 1)[0];
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
    const bool is_original =
        has_matrix(weight.factoring) && holds_equal(own, weight.factors[0], whole[*at].view);
    found.push_back({std::move(weight), name, distance, is_original});
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

/// "conv.weight_orig of B is conv.weight of A, bit for bit: A has the weights before pruning"; ""
/// where no weight is so.
std::string original_text(const std::vector<FactoredPair>& pairs, const Subject& holder,
                          const Subject& other) {
  const auto count = std::ranges::count_if(pairs, &FactoredPair::is_original);
  if (count == 0) return "";
  const FactoredPair& first = *std::ranges::find_if(pairs, &FactoredPair::is_original);
  const bool all = static_cast<std::size_t>(count) == pairs.size();
  return fmt::format("{} of {} is {} of {}, bit for bit{}: {} holds {} before {}",
                     first.weight.factors[0], holder.label, first.whole, other.label,
                     count == 1 ? "" : fmt::format(", and so are {} more", count - 1), other.label,
                     all ? "the weights" : "these weights", factoring_name(first.weight.factoring));
}

/// Where one side is the model before: leaving the factors out keeps what they compute.
std::string original_remedy(const FactoredPair& first, const Subject& holder,
                            const Subject& other) {
  return fmt::format(
      "To get {}'s weight, take {} of {}; to get what {} computes, load it into a model that has "
      "{}",
      other.label, first.weight.factors[0], holder.label, holder.label,
      factoring_name(first.weight.factoring));
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
  const std::string original = original_text(pairs, holder, other);
  if (!original.empty()) finding.details.push_back(original);
  const Json dense = "dense";
  const Json kind = factoring_name(first.factoring);
  finding.evidence = {{"count", names.size()},
                      {"tensors", name_list(names)},
                      {"layouts", holder.label == pair.a ? Json{kind, dense} : Json{dense, kind}}};
  finding.remedy = original.empty()
                       ? factors_remedy(first.factoring)
                       : original_remedy(*std::ranges::find_if(pairs, &FactoredPair::is_original),
                                         holder, other);
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
