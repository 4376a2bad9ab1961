#include "samebits/explain/diff.h"

#include <algorithm>
#include <set>
#include <string>

#include "samebits/explain/adapted_findings.h"
#include "samebits/explain/beside_findings.h"
#include "samebits/explain/context_findings.h"
#include "samebits/explain/file_findings.h"
#include "samebits/explain/file_risks.h"
#include "samebits/explain/loading_findings.h"
#include "samebits/explain/module_findings.h"
#include "samebits/explain/quantized_findings.h"
#include "samebits/explain/reported.h"
#include "samebits/explain/subjects.h"
#include "samebits/explain/trace_diff.h"
#include "samebits/explain/tree_findings.h"
#include "samebits/explain/weight_findings.h"

namespace samebits {
namespace {

void require_weights(Report& report) {
  for (const Subject& subject : report.subjects) {
    if (!subject.checkpoint || subject.checkpoint->has_weights()) continue;
    report.not_checked.push_back(subject.path + ": holds no weights to compare");
    report.incomplete = true;
  }
}

}  // namespace

void compare_pair(Report& report, std::size_t first, std::size_t second,
                  std::vector<WeightSet>& weights, const PairOptions& options) {
  const Subject& a = report.subjects[first];
  const Subject& b = report.subjects[second];
  if (!a.checkpoint || !b.checkpoint) return;
  if (a.checkpoint->has_weights() && b.checkpoint->has_weights()) {
    report.weights.push_back(
        {a.label, b.label, compare_weights(weights[first], weights[second], {options.threads})});
    for (const std::string& name : report.weights.back().comparison.unreadable) {
      report.not_checked.push_back("the values of " + name + " could not be read");
      report.incomplete = true;
    }
    const WeightComparison& found = report.weights.back().comparison;
    for (const std::string& text : found.unsearched)
      report.not_checked.push_back(a.label + " and " + b.label + ": " + text);
    report.incomplete |= found.verdict == WeightsVerdict::unknown;
    find_averaged(report, report.weights.back(), options.threads);
    require_tensors(report, report.weights.back());
    std::set<std::string> explained = find_quantized(report, report.weights.back());
    explained.merge(find_adapted(report, report.weights.back()));
    find_weight_causes(report, report.weights.back(), explained);
    find_companion_changes(report, a, b, options.threads);
    if (found.verdict == WeightsVerdict::identical || found.verdict == WeightsVerdict::same_values)
      find_unaligned_of_pair(report, a, b);
  }
  find_state_values(report, a, b);
  find_adapter_config_changes(report, a, b);
  find_config_changes(report, a, b);
  find_module_changes(report, a, b);
  find_tree_changes(report, a, b);
  find_unlike_config(report, a, b);
  find_preprocessing_changes(report, a, b, options.preprocessing_role);
  find_mode_changes(report, a, b);
  find_buffer_changes(report, a, b, options.threads);
  find_version_changes(report, a, b);
  find_mixup(report, a, b);
}

namespace {

Report diff_now(const SubjectOptions& a, const SubjectOptions& b, int threads) {
  Report report;
  report.command = "diff";
  open_subjects(report, {a, b}, {.cross_check = true, .threads = threads});
  if (are_traces(report)) {
    compare_traces(report, threads);
    return report;
  }
  if (refuse_recorded(report,
                      "a recorded run is held against a model by samebits explain MODEL TRACE"))
    return report;
  require_weights(report);
  std::vector<WeightSet> weights = weight_sets(report, threads);
  compare_pair(report, 0, 1, weights, {.threads = threads});
  for (const Subject& subject : report.subjects) {
    if (!subject.checkpoint) continue;
    note_wrapper(report, subject);
    find_calls(report, subject);
    find_unusual_imports(report, subject);
    find_invalid(report, subject);
    find_file_risks(report, subject);
    find_training_mode(report, subject);
  }
  sort_findings(&report.findings);
  const bool different = std::any_of(
      report.findings.begin(), report.findings.end(),
      [](const Finding& f) { return f.role == Role::cause || f.role == Role::contributes; });
  report.incomplete = report.incomplete || (report.undecided && !different);
  report.verdict = report.incomplete ? Verdict::unknown
                   : different       ? Verdict::different
                                     : Verdict::same;
  if (report.verdict == Verdict::same) list_uncompared(report);
  return report;
}

}  // namespace

Report diff(const SubjectOptions& a, const SubjectOptions& b, int threads) {
  return *reported("diff", {a, b}, [&] { return diff_now(a, b, threads); });
}

}  // namespace samebits
