#include "samebits/explain/report.h"

#include <algorithm>
#include <utility>

#include "samebits/base/error.h"

namespace samebits {

const char* verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::same: return "same";
    case Verdict::different: return "different";
    case Verdict::unknown: return "unknown";
    case Verdict::clean: return "clean";
    case Verdict::risk: return "risk";
  }
  SAMEBITS_CHECK(false);
  return "";
}

const char* role_name(Role role) {
  switch (role) {
    case Role::cause: return "cause";
    case Role::contributes: return "contributes";
    case Role::risk: return "risk";
    case Role::note: return "note";
  }
  SAMEBITS_CHECK(false);
  return "";
}

const char* proof_name(Proof proof) {
  switch (proof) {
    case Proof::proved: return "proved";
    case Proof::observed: return "observed";
    case Proof::suspected: return "suspected";
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

const Json& config_used(const Report& report, const Subject& subject) {
  if (subject.config_borrowed_from.empty()) return subject.checkpoint->config;
  if (report.given_config.is_object()) return report.given_config;
  return subject_of(report, subject.config_borrowed_from).checkpoint->config;
}

const std::string& weight_name(const Subject& subject, std::uint32_t index) {
  SAMEBITS_CHECK(subject.checkpoint && subject.checkpoint->has_weights());
  const Candidate& candidate = subject.checkpoint->weights();
  const std::size_t weights = candidate.weights.size();
  const std::uint32_t entry =
      index < weights ? candidate.weights[index] : candidate.buffers.at(index - weights);
  return subject.checkpoint->entries.at(entry).name;
}

void sort_findings(std::vector<Finding>* findings) {
  std::stable_sort(findings->begin(), findings->end(), [](const Finding& a, const Finding& b) {
    return std::pair(a.role, a.proof) < std::pair(b.role, b.proof);
  });
}

int exit_status(const Report& report) {
  switch (report.verdict) {
    case Verdict::same: {
      const auto is_risk = [](const Finding& finding) { return finding.role == Role::risk; };
      return std::any_of(report.findings.begin(), report.findings.end(), is_risk) ? 1 : 0;
    }
    case Verdict::clean: return 0;
    case Verdict::different: return 1;
    case Verdict::risk: return 1;
    case Verdict::unknown: return 2;
  }
  SAMEBITS_CHECK(false);
  return 2;
}

}  // namespace samebits
