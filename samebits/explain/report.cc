#include "samebits/explain/report.h"

#include <algorithm>
#include <utility>

#include "samebits/base/error.h"
#include "samebits/explain/judged.h"

namespace samebits {

const char* verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::same: return "same";
    case Verdict::different: return "different";
    case Verdict::unknown: return "unknown";
    case Verdict::clean: return "clean";
    case Verdict::risk: return "risk";
    case Verdict::close: return "close";
  }
  SAMEBITS_CHECK(false);
  return "";
}

const Subject& subject_of(const Report& report, const std::string& label) {
  const auto found =
      std::find_if(report.subjects.begin(), report.subjects.end(),
                   [&label](const Subject& subject) { return subject.label == label; });
  SAMEBITS_CHECK(found != report.subjects.end());
  return *found;
}

const WeightPair* weights_of(const Report& report, const Subject& a, const Subject& b) {
  const auto found = std::ranges::find_if(report.weights, [&](const WeightPair& pair) {
    return pair.a == a.label && pair.b == b.label;
  });
  return found == report.weights.end() ? nullptr : &*found;
}

const Json& config_used(const Report& report, const Subject& subject) {
  if (subject.config_borrowed_from.empty()) return subject.checkpoint->config;
  if (report.given_config.is_object()) return report.given_config;
  return subject_of(report, subject.config_borrowed_from).checkpoint->config;
}

bool has_weights(const Subject& subject) {
  return subject.checkpoint && subject.checkpoint->has_weights();
}

const StoredTensor& weight_entry(const Subject& subject, std::uint32_t index) {
  SAMEBITS_CHECK(has_weights(subject));
  const Candidate& candidate = subject.checkpoint->weights();
  const std::size_t weights = candidate.weights.size();
  const std::uint32_t entry =
      index < weights ? candidate.weights[index] : candidate.buffers.at(index - weights);
  return subject.checkpoint->entries.at(entry);
}

const std::string& weight_name(const Subject& subject, std::uint32_t index) {
  return weight_entry(subject, index).name;
}

void add_finding(Report& report, Finding finding) {
  report.findings.add(report.ran ? judged(std::move(finding), report) : std::move(finding));
}

void add_gap(Report& report, std::string text, Gap gap) {
  if (gap > report.gap) report.worst_gap = text;
  report.not_checked.push_back(std::move(text));
  report.gap = std::max(report.gap, gap);
}

Verdict verdict_of_comparison(const Report& report) {
  if (report.gap == Gap::blocking) return Verdict::unknown;
  if (report.findings.has(Role::cause) || report.findings.has(Role::contributes))
    return Verdict::different;
  return report.gap == Gap::open ? Verdict::unknown : Verdict::same;
}

Verdict verdict_of_traces(const Report& report, bool different) {
  if (different) return Verdict::different;
  return report.not_checked.empty() ? Verdict::same : Verdict::unknown;
}

Verdict verdict_of_checkpoint(const Report& report) {
  if (report.gap != Gap::aside) return Verdict::unknown;
  const bool only_notes = std::ranges::all_of(
      report.findings, [](const Finding& finding) { return finding.role == Role::note; });
  return only_notes ? Verdict::clean : Verdict::risk;
}

int exit_status(const Report& report) {
  switch (report.verdict) {
    case Verdict::same:
    case Verdict::close: return report.findings.has(Role::risk) ? 1 : 0;
    case Verdict::clean: return 0;
    case Verdict::different: return 1;
    case Verdict::risk: return 1;
    case Verdict::unknown: return 2;
  }
  SAMEBITS_CHECK(false);
  return 2;
}

}  // namespace samebits
