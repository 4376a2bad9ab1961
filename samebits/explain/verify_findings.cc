#include "samebits/explain/verify_findings.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "samebits/explain/locked_weights.h"
#include "samebits/explain/subjects.h"
#include "samebits/explain/tied_findings.h"

namespace samebits {
namespace {

using LockNames = std::vector<std::string>;

Finding locked_finding(const char* cause, Role role, const LockNames& names) {
  Finding finding{.cause = cause, .role = role, .proof = Proof::observed, .subjects = {"A", "B"}};
  finding.evidence = {{"count", names.size()}, {"tensors", name_list(names)}};
  return finding;
}

LockNames names_of_kind(const Report& report, MatchKind kind) {
  LockNames names;
  for (const TensorMatch& match : report.weights[0].comparison.matches)
    if (match.kind == kind) names.push_back(weight_name(report.subjects[0], match.a[0]));
  return names;
}

void find_locked_changes(Report& report) {
  constexpr std::size_t kShown = 3;
  const WeightComparison& comparison = report.weights[0].comparison;
  LockNames names, details;
  for (const TensorMatch& match : comparison.matches) {
    if (match.kind != MatchKind::changed) continue;
    names.push_back(weight_name(report.subjects[0], match.a[0]));
    if (names.size() <= kShown) details.push_back(names.back() + ": " + match.how);
  }
  if (names.empty()) return;
  Finding finding = locked_finding("weights.changed", Role::cause, names);
  finding.summary = counted_of(names.size(), comparison.matched, "tensor", "is", "are") +
                    " not as they were locked";
  if (names.size() == 1)
    finding.summary = counted_of(1, comparison.matched, "tensor", "is", "are") +
                      " not as it was locked: " + names[0];
  if (!comparison.exchanges.empty()) finding.summary += ", and others are exchanged";
  finding.details = std::move(details);
  finding.details.emplace_back("a lock holds digests: by how much values differ is not in it");
  finding.remedy =
      "If the change was meant, write the lock anew; to learn what changed, run samebits diff "
      "against the file that was locked";
  add_finding(report, std::move(finding));
}

void find_locked_exchanges(Report& report) {
  for (const Exchange& exchange : report.weights[0].comparison.exchanges) {
    Finding finding = locked_finding("weights.rearranged", Role::cause, exchange.names_a);
    finding.summary = exchange.summary;
    finding.evidence["from"] = name_list(exchange.names_b);
    finding.remedy = "Load each tensor under the name that it was locked under";
    add_finding(report, std::move(finding));
  }
  const LockNames reshaped = names_of_kind(report, MatchKind::rearranged);
  if (reshaped.empty()) return;
  Finding finding = locked_finding("weights.rearranged", Role::note, reshaped);
  finding.summary =
      counted(reshaped.size(), "tensor", "has", "have") + " the locked values in another shape";
  add_finding(report, std::move(finding));
}

void find_locked_missing(Report& report) {
  const WeightComparison& comparison = report.weights[0].comparison;
  std::set<std::string> tied;
  for (const TieDifference& tie : comparison.ties) {
    tied.insert(tie.names_a.begin(), tie.names_a.end());
    tied.insert(tie.names_b.begin(), tie.names_b.end());
  }
  for (const bool in_a : {true, false}) {
    LockNames names = in_a ? comparison.only_a : comparison.only_b;
    std::erase_if(names, [&](const std::string& name) { return tied.contains(name); });
    if (names.empty()) continue;
    Finding finding = locked_finding("weights.missing", Role::cause, names);
    finding.evidence["side"] = in_a ? "A" : "B";
    finding.summary =
        fmt::format("{} only in {}: {}", counted(names.size(), "tensor", "stands", "stand"),
                    in_a ? "A" : "the lock", some_of(names));
    finding.details.emplace_back(
        "fused, split and transposed tensors have other digests: a lock does not find them");
    finding.remedy = in_a ? "If they were added on purpose, write the lock anew"
                          : "Find out where they were lost; a loader leaves them at random values";
    add_finding(report, std::move(finding));
  }
}

void find_locked_renaming(Report& report) {
  const WeightComparison& comparison = report.weights[0].comparison;
  if (comparison.renamed == 0) return;
  LockNames names;
  for (const TensorMatch& match : comparison.matches) {
    const std::string& name = weight_name(report.subjects[0], match.a[0]);
    if (name != weight_name(report.subjects[1], match.b[0])) names.push_back(name);
  }
  Finding finding = locked_finding("weights.renamed", Role::note, names);
  Json rules = Json::array();
  for (const RenameRule& rule : comparison.rules)
    rules.push_back({{"from", rule.from}, {"to", rule.to}});
  finding.evidence["rules"] = std::move(rules);
  finding.summary = fmt::format(
      "{} {} in the lock, by {}", counted(names.size(), "tensor", "has", "have"),
      names.size() == 1 ? "another name" : "other names", counted(comparison.rules.size(), "rule"));
  add_finding(report, std::move(finding));
}

LockNames unlike_names(const std::vector<LockedTensor>& a, const std::vector<LockedTensor>& b,
                       int threads) {
  const WeightComparison comparison = compare_locked(a, b, threads);
  LockNames names = comparison.only_a;
  names.insert(names.end(), comparison.only_b.begin(), comparison.only_b.end());
  for (const TensorMatch& match : comparison.matches)
    if (match.kind != MatchKind::same) names.push_back(a[match.a[0]].name);
  return names;
}

void find_locked_buffers(Report& report, const Lock& held, const Lock& lock, int threads) {
  if (held.buffers.empty() != lock.buffers.empty())
    return add_gap(report,
                   fmt::format("non-persistent buffers: {} holds none",
                               held.buffers.empty() ? "A" : "the lock"),
                   Gap::aside);
  const LockNames names = unlike_names(held.buffers, lock.buffers, threads);
  if (names.empty()) return;
  Finding finding = locked_finding("state.buffers", Role::contributes, names);
  finding.summary = counted(names.size(), "non-persistent buffer", "is", "are") +
                    " not as locked, which no state_dict() shows";
  finding.remedy = "Build the model by the same code and version";
  add_finding(report, std::move(finding));
}

void find_locked_companions(Report& report, const Lock& held, const Lock& lock, int threads) {
  const LockNames names = unlike_names(held.companions, lock.companions, threads);
  if (names.empty()) return;
  Finding finding = locked_finding("weights.changed", Role::cause, names);
  finding.summary =
      counted(names.size(), "tensor") + " of what is loaded beside the first model: not as locked";
  finding.remedy = "If the change was meant, write the lock anew";
  add_finding(report, std::move(finding));
}

void find_locked_code(Report& report, const Lock& held, const Lock& lock) {
  if (held.code == lock.code) return;
  if (held.code.empty() || lock.code.empty())
    return add_gap(report, fmt::format("code: {} holds none", held.code.empty() ? "A" : "the lock"),
                   Gap::aside);
  // Another exporter writes the same graph in other bytes.
  if (report.subjects[0].checkpoint->graph)
    return add_gap(report, "what the graph computes: it is not the locked graph, byte by byte",
                   Gap::blocking);
  Finding finding{.cause = "code.version",
                  .role = Role::contributes,
                  .proof = Proof::observed,
                  .subjects = {"A", "B"}};
  finding.summary = "the code of the archive is not the locked code";
  finding.evidence = {{"sha256", Json::array({held.code, lock.code})}};
  finding.remedy = "If the change was meant, write the lock anew";
  add_finding(report, std::move(finding));
}

/// One digest for all modules: which of them differs, and whether it matters, it does not say.
void compare_locked_modules(Report& report, const Lock& held, const Lock& lock) {
  if (!held.modules && !lock.modules) return;
  if (!held.modules || !lock.modules)
    return add_gap(report,
                   fmt::format("the modules' mode and attributes: {} holds none",
                               held.modules ? "the lock" : "A"),
                   Gap::aside);
  if (held.modules->digest == lock.modules->digest) return;
  add_gap(report,
          "classes or attributes of modules are not as locked; which, and whether it matters, the "
          "lock does not say: samebits diff against the file that was locked does",
          Gap::open);
}

void note_absent_field(Report& report, const char* what, const Json& held, const Json& lock) {
  if (held.is_null() == lock.is_null()) return;
  add_gap(report, fmt::format("{}: {} holds none", what, held.is_null() ? "A" : "the lock"),
          Gap::aside);
}

}  // namespace

void find_locked_weights(Report& report) {
  find_locked_changes(report);
  find_locked_exchanges(report);
  find_locked_missing(report);
  find_locked_renaming(report);
  find_ties(report, report.weights[0]);
}

void find_locked_others(Report& report, const Lock& held, const Lock& lock, int threads) {
  find_locked_buffers(report, held, lock, threads);
  find_locked_companions(report, held, lock, threads);
  find_locked_code(report, held, lock);
  compare_locked_modules(report, held, lock);
  note_absent_field(report, "config", held.config, lock.config);
  note_absent_field(report, "preprocessing", held.preprocessing, lock.preprocessing);
  note_absent_field(report, "the adapter's config", held.adapter, lock.adapter);
}

}  // namespace samebits
