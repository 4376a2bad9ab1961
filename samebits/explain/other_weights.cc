#include "samebits/explain/other_weights.h"

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "samebits/checkpoint/choice.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

struct SetDifference {
  std::vector<std::string> names;
  std::size_t tensors = 0;  // of the larger side
};

SetDifference compare_sets(Report& report, const Checkpoint& a, const Checkpoint& b,
                           const Candidate& left, const Candidate& right, int threads) {
  WeightSet own = weight_set(a, left);
  WeightSet other = weight_set(b, right);
  const WeightComparison found = compare_weights(own, other, {threads});
  for (const std::string& name : found.unreadable)
    add_gap(report, fmt::format("the values of {}.{} could not be read", left.key, name),
            Gap::blocking);
  SetDifference difference{found.only_a, std::max(left.weights.size(), right.weights.size())};
  difference.names.insert(difference.names.end(), found.only_b.begin(), found.only_b.end());
  if (says_equal(found.verdict)) return difference;
  for (const TensorMatch& match : found.matches) {
    const bool equal =
        (match.kind == MatchKind::same || match.kind == MatchKind::renamed) && !match.in_place;
    if (!equal && !match.a.empty()) difference.names.push_back(own[match.a[0]].name);
  }
  return difference;
}

/// "at the top", "under model".
std::string place_of_chosen(const Checkpoint& checkpoint) {
  const std::string& key = checkpoint.weights().key;
  return key.empty() ? "at the top" : "under " + key;
}

}  // namespace

bool is_part_of_chosen(const Checkpoint& checkpoint, const Candidate& candidate) {
  const auto& weights = checkpoint.weights().weights;
  const std::unordered_set<std::uint32_t> chosen(weights.begin(), weights.end());
  return std::ranges::all_of(candidate.weights,
                             [&](std::uint32_t index) { return chosen.contains(index); });
}

std::vector<std::pair<const Candidate*, const Candidate*>> sets_beside(const Checkpoint& a,
                                                                       const Checkpoint& b) {
  std::vector<std::pair<const Candidate*, const Candidate*>> pairs;
  if (is_chosen_by_key(a) || is_chosen_by_key(b)) return pairs;
  for (std::size_t i = 0; i < a.candidates.size(); ++i) {
    if (i == a.chosen || is_part_of_chosen(a, a.candidates[i])) continue;
    for (std::size_t j = 0; j < b.candidates.size(); ++j) {
      const Candidate& other = b.candidates[j];
      if (j != b.chosen && other.key == a.candidates[i].key && !is_part_of_chosen(b, other))
        pairs.emplace_back(&a.candidates[i], &other);
    }
  }
  return pairs;
}

void find_other_weights(Report& report, const Subject& a, const Subject& b, int threads) {
  for (const auto& [left, right] : sets_beside(*a.checkpoint, *b.checkpoint)) {
    const SetDifference found =
        compare_sets(report, *a.checkpoint, *b.checkpoint, *left, *right, threads);
    if (found.names.empty()) continue;
    Finding finding{.cause = "weights.changed",
                    .role = report.command == "explain" ? Role::risk : Role::contributes,
                    .proof = Proof::observed,
                    .subjects = {a.label, b.label}};
    finding.summary =
        fmt::format("the weights under {} differ, which stand beside those {}: {}", left->key,
                    place_of_chosen(*a.checkpoint),
                    counted_of(found.names.size(), found.tensors, "tensor", "differs", "differ"));
    finding.details.push_back("of them " + some_of(found.names));
    finding.evidence = {
        {"count", found.names.size()}, {"tensors", name_list(found.names)}, {"beside", left->key}};
    finding.remedy = fmt::format("Look at them with --key {}", left->key);
    if (const std::string& chosen = a.checkpoint->weights().key; !chosen.empty())
      finding.remedy += fmt::format("; --key {} compares only the others", chosen);
    add_finding(report, std::move(finding));
  }
}

}  // namespace samebits
