#include "samebits/explain/diff.h"

#include "samebits/explain/beside_findings.h"
#include "samebits/explain/module_findings.h"
#include "samebits/explain/reported.h"
#include "samebits/explain/rules.h"
#include "samebits/explain/scope.h"
#include "samebits/explain/trace_diff.h"
#include "samebits/explain/training_parting.h"

namespace samebits {
namespace {

Report diff_now(const SubjectOptions& a, const SubjectOptions& b, int threads, const Scope& scope) {
  Report report;
  report.command = "diff";
  report.scope = scope;
  if (are_training_runs({a, b})) {
    compare_training_runs(report, {a, b});
    return report;
  }
  open_subjects(report, {a, b}, {.cross_check = true, .threads = threads});
  if (are_traces(report)) {
    compare_traces(report, threads);
    return report;
  }
  if (are_step_traces(report)) {
    compare_step_traces(report);
    return report;
  }
  if (refuse_recorded(report,
                      "a recorded run is held against a model by samebits explain MODEL TRACE"))
    return report;
  compare_subjects(report, threads);
  for (const Subject& subject : report.subjects) note_wrapper(report, subject);
  apply_rules(report, {.threads = threads});
  report.verdict = verdict_of_comparison(report);
  settle_close(report);
  if (report.verdict == Verdict::same) list_uncompared(report);
  return report;
}

}  // namespace

Report diff(const SubjectOptions& a, const SubjectOptions& b, int threads, const Scope& scope) {
  return *reported("diff", {a, b}, [&] { return diff_now(a, b, threads, scope); });
}

}  // namespace samebits
