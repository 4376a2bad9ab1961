#include "samebits/explain/explain.h"

#include <algorithm>

#include <fmt/format.h>

#include "samebits/explain/beside_findings.h"
#include "samebits/explain/config_findings.h"
#include "samebits/explain/diff.h"
#include "samebits/explain/file_findings.h"
#include "samebits/explain/file_risks.h"
#include "samebits/explain/forward_runs.h"
#include "samebits/explain/loading_findings.h"
#include "samebits/explain/module_findings.h"
#include "samebits/explain/reported.h"
#include "samebits/explain/rounding_floor.h"
#include "samebits/explain/subjects.h"
#include "samebits/explain/trace_diff.h"

namespace samebits {
namespace {

/// A subject without a config takes the given one, or the first that there is: what that says of
/// the model is then said of it too.
void borrow_configs(Report& report, const ExplainOptions& options) {
  std::string from = options.config_path;
  report.given_config = options.config;
  const auto owner = std::find_if(
      report.subjects.begin(), report.subjects.end(),
      [](const Subject& s) { return s.checkpoint && s.checkpoint->config.is_object(); });
  if (from.empty() && owner == report.subjects.end()) return;
  if (from.empty()) from = owner->label;
  for (Subject& subject : report.subjects) {
    if (!subject.checkpoint || subject.checkpoint->config.is_object()) continue;
    if (!subject.checkpoint->config_faults.empty()) continue;  // it has one that cannot be read
    subject.config_borrowed_from = from;
    report.assumed.push_back(subject.label + ": config from " + from);
  }
}

std::string model_type_of(const Report& report, const Subject& subject) {
  const Json& config = config_used(report, subject);
  if (config.is_object() && config.contains("model_type") && config["model_type"].is_string())
    return config["model_type"].get<std::string>();
  return subject.checkpoint->model_type;
}

/// All subjects whose definition draws, in one finding.
void find_shared_noise(Report& report) {
  std::vector<std::string> labels;
  const Subject* first = nullptr;
  for (const Subject& subject : report.subjects) {
    if (!subject.checkpoint || !draws_noise(model_type_of(report, subject))) continue;
    if (first == nullptr) first = &subject;
    labels.push_back(subject.label);
  }
  if (first == nullptr) return;
  find_noise(report, labels, model_type_of(report, *first), config_used(report, *first));
}

bool has_role(const Report& report, Role role) {
  return std::any_of(report.findings.begin(), report.findings.end(),
                     [&](const Finding& finding) { return finding.role == role; });
}

Report explain_now(const std::vector<SubjectOptions>& subjects, const ExplainOptions& options) {
  Report report;
  report.command = "explain";
  open_subjects(report, subjects, {.cross_check = true, .threads = options.threads});
  if (is_model_and_trace(report)) {
    compare_with_truth(report, {.threads = options.threads, .input = options.input});
    return report;
  }
  if (are_traces(report)) {
    compare_traces(report, options.threads);
    return report;
  }
  if (refuse_recorded(report,
                      "a recorded run is held against one model or one other recorded run: "
                      "name two subjects"))
    return report;
  std::vector<WeightSet> weights = weight_sets(report, options.threads);
  for (std::size_t i = 1; i < subjects.size(); ++i) {
    compare_pair(report, 0, i, weights,
                 {.threads = options.threads, .preprocessing_role = Role::risk});
  }
  borrow_configs(report, options);
  for (const Subject& subject : report.subjects) {
    if (!subject.checkpoint) continue;
    note_wrapper(report, subject);
    find_calls(report, subject);
    find_unusual_imports(report, subject);
    find_training_mode(report, subject);
    find_invalid(report, subject);
    find_label_conflict(report, subject);
    note_load_refused(report, subject);
    find_file_risks(report, subject);
    find_resume_leftovers(report, subject);
    find_implied_eps(report, subject);
  }
  find_shared_noise(report);
  bool ran = false;
  if (options.files_only) {
    report.not_checked.emplace_back(
        "outputs: no forward pass was run; what is said rests on the files and on the model's "
        "definition");
  } else {
    ran = prove_by_running(
        report, {.threads = options.threads, .input = options.input, .more = options.more});
  }
  sort_findings(&report.findings);
  const bool different = has_role(report, Role::cause) || has_role(report, Role::contributes);
  report.incomplete = report.incomplete || (report.undecided && !different);
  report.verdict = report.incomplete ? Verdict::unknown
                   : different       ? Verdict::different
                   : ran             ? Verdict::same
                                     : Verdict::unknown;
  if (report.verdict == Verdict::same) list_uncompared(report);
  return report;
}

}  // namespace

Report explain(const std::vector<SubjectOptions>& subjects, const ExplainOptions& options) {
  SAMEBITS_CHECK(subjects.size() >= 2);
  return *reported("explain", subjects, [&] { return explain_now(subjects, options); });
}

}  // namespace samebits
