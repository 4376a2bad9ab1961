#include "samebits/explain/layout_findings.h"

#include <map>
#include <vector>

#include <fmt/format.h>

#include "samebits/checkpoint/sparse_values.h"
#include "samebits/compare/settled_verdict.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

/// The keys of one state_dict, with how each is stored, and the parts of those that have some.
struct StoredKeys {
  std::map<std::string, std::string> layouts;      // "dense", "sparse_coo", "per_channel_affine"
  std::map<std::string, std::string> key_of_part;  // "w.indices" and "w"
};

/// The scheme of "quantized per_tensor_affine, scale 0.02"; "dense" where there is none.
std::string scheme_of(const StoredTensor& tensor) {
  constexpr std::string_view kQuantized = "quantized ";
  if (!tensor.identity.starts_with(kQuantized)) return "dense";
  const std::string rest = tensor.identity.substr(kQuantized.size());
  return rest.substr(0, rest.find(','));
}

/// A key that was read from a sparse form stands as it was stored.
StoredKeys stored_keys(const Subject& subject) {
  StoredKeys keys;
  const Checkpoint& checkpoint = *subject.checkpoint;
  for (const std::uint32_t index : checkpoint.weights().weights) {
    const StoredTensor& tensor = checkpoint.entries[index];
    if (tensor.sparse && tensor.name.ends_with("." + tensor.sparse->part)) {
      const std::string key =
          tensor.name.substr(0, tensor.name.size() - tensor.sparse->part.size() - 1);
      keys.layouts[key] = tensor.sparse->layout;
      keys.key_of_part[tensor.name] = key;
    } else {
      const std::string before = layout_before(tensor);
      keys.layouts[tensor.name] = before == "dense" ? scheme_of(tensor) : before;
    }
  }
  for (const auto& [name, layout] : keys.layouts) {
    for (const std::string part : {".scales", ".zero_points"}) {
      if (layout.starts_with("per_channel") && keys.layouts.contains(name + part))
        keys.key_of_part[name + part] = name;
    }
  }
  return keys;
}

bool can_copy(const std::string& a, const std::string& b) {
  const bool from_dense = a == "dense" && b.starts_with("per_");
  return from_dense || (b == "dense" && a.starts_with("per_"));
}

/// Tensors that were read from sparse forms, by name.
std::set<std::string> read_as_dense(const Subject& subject) {
  std::set<std::string> names;
  for (const std::uint32_t index : subject.checkpoint->weights().weights) {
    const StoredTensor& tensor = subject.checkpoint->entries[index];
    if (layout_before(tensor) != "dense") names.insert(tensor.name);
  }
  return names;
}

/// Of two layouts that say the same numbers: what a loader makes of it is left.
void find_equal_layouts(Report& report, const WeightPair& pair, const StoredKeys& a,
                        const StoredKeys& b) {
  const Subject& left = subject_of(report, pair.a);
  const Subject& right = subject_of(report, pair.b);
  std::set<std::string> names = read_as_dense(left);
  names.merge(read_as_dense(right));
  std::vector<std::string> equal;
  for (const TensorMatch& match : pair.comparison.matches) {
    if (match.kind != MatchKind::same_values || match.a.size() != 1 || match.b.size() != 1)
      continue;
    const std::string& name = weight_name(left, match.a[0]);
    if (names.contains(name) && weight_name(right, match.b[0]) == name) equal.push_back(name);
  }
  if (equal.empty()) return;
  Finding finding{.cause = "weights.layout",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {pair.a, pair.b}};
  finding.summary = fmt::format("{} the same numbers in another layout: {} is {} in {}, {} in {}",
                                counted(equal.size(), "weight", "says", "say"), equal[0],
                                a.layouts.at(equal[0]), pair.a, b.layouts.at(equal[0]), pair.b);
  finding.details.emplace_back(
      "load_state_dict raises while it copies one into the other (torch 2.13.0)");
  finding.evidence = {{"count", equal.size()},
                      {"tensors", name_list(equal)},
                      {"layouts", {a.layouts.at(equal[0]), b.layouts.at(equal[0])}}};
  finding.remedy = "Load both by to_dense()";
  add_finding(report, std::move(finding));
}

}  // namespace

void read_unlike_layouts(Report& report) {
  constexpr std::uint64_t kMostDense = std::uint64_t{1} << 30U;  // bytes, of one tensor
  std::map<std::string, std::set<std::string>> layouts;          // by key, over all subjects
  for (const Subject& subject : report.subjects) {
    if (!has_weights(subject)) continue;
    const auto sparse = sparse_weights(*subject.checkpoint);
    for (const auto& [key, layout] : stored_keys(subject).layouts) {
      const auto found = sparse.find(key);
      layouts[key].insert(found == sparse.end() ? layout : found->second.form);
    }
  }
  for (Subject& subject : report.subjects) {
    if (!has_weights(subject)) continue;
    for (const auto& [key, weight] : sparse_weights(*subject.checkpoint)) {
      if (layouts[key].size() < 2) continue;
      auto values = dense_values(*subject.checkpoint, weight, kMostDense);
      if (values) replace_by_dense(*subject.checkpoint, key, weight, *std::move(values));
    }
  }
}

void settle_layouts(const Report& report, WeightPair* pair) {
  const std::set<std::string> a = read_as_dense(subject_of(report, pair->a));
  const std::set<std::string> b = read_as_dense(subject_of(report, pair->b));
  if (a.empty() && b.empty()) return;
  const Subject& left = subject_of(report, pair->a);
  for (TensorMatch& match : pair->comparison.matches) {
    if (match.kind != MatchKind::same || match.a.size() != 1) continue;
    const std::string& name = weight_name(left, match.a[0]);
    if (!a.contains(name) && !b.contains(name)) continue;
    match.kind = MatchKind::same_values;
    match.how = "in another layout";
  }
  settle_verdict(&pair->comparison);
}

std::set<std::string> find_layouts(Report& report, const WeightPair& pair,
                                   const std::set<std::string>& explained) {
  const StoredKeys a = stored_keys(subject_of(report, pair.a));
  const StoredKeys b = stored_keys(subject_of(report, pair.b));
  find_equal_layouts(report, pair, a, b);
  std::set<std::string> keys;
  std::set<std::string> accounted;
  const auto take = [&](const StoredKeys& own, const StoredKeys& other,
                        const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      const auto part = own.key_of_part.find(name);
      if (part == own.key_of_part.end() || explained.contains(name)) continue;
      const auto layout = other.layouts.find(part->second);
      if (layout == other.layouts.end() || layout->second == own.layouts.at(part->second)) continue;
      keys.insert(part->second);
      accounted.insert({name, part->second});
    }
  };
  take(a, b, pair.comparison.only_a);
  take(b, a, pair.comparison.only_b);
  if (keys.empty()) return {};
  const std::string& first = *keys.begin();
  Finding finding{.cause = "weights.layout",
                  .role = Role::cause,
                  .proof = Proof::observed,
                  .subjects = {pair.a, pair.b}};
  finding.summary = fmt::format("{} stored in another layout: {} is {} in {}, {} in {}",
                                counted(keys.size(), "weight", "is", "are"), first,
                                a.layouts.at(first), pair.a, b.layouts.at(first), pair.b);
  finding.details.emplace_back("whether both say the same numbers was not computed");
  if (!can_copy(a.layouts.at(first), b.layouts.at(first)))
    finding.details.emplace_back(
        "load_state_dict raises while it copies one into the other (torch 2.13.0)");
  finding.evidence = {{"count", keys.size()},
                      {"tensors", name_list({keys.begin(), keys.end()})},
                      {"layouts", {a.layouts.at(first), b.layouts.at(first)}}};
  finding.remedy = "Compare after to_dense() or dequantize() on both sides";
  add_finding(report, std::move(finding));
  return accounted;
}

}  // namespace samebits
