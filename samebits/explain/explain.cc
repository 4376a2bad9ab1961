#include "samebits/explain/explain.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/base/error.h"
#include "samebits/explain/beside_findings.h"
#include "samebits/explain/forward_runs.h"
#include "samebits/explain/loading_findings.h"
#include "samebits/explain/module_findings.h"
#include "samebits/explain/reported.h"
#include "samebits/explain/rounding_floor.h"
#include "samebits/explain/rules.h"
#include "samebits/explain/scope.h"
#include "samebits/explain/trace_diff.h"
#include "samebits/explain/training_parting.h"
#include "samebits/run/module_config.h"

namespace samebits {
namespace {

/// The given config, or the borrowed one, with fields that were given; says where both are from.
std::string give_fields(Report& report, const Json& fields, const std::string& from) {
  Json config = report.given_config;
  if (config.is_null())
    config = from.empty() ? Json::object() : subject_of(report, from).checkpoint->config;
  config.update(fields);
  report.given_config = std::move(config);
  std::vector<std::string> texts;
  for (const auto& [field, value] : fields.items())
    texts.push_back(fmt::format("{} {}", field, short_json(value)));
  report.assumed.push_back(fmt::format("the options: {}", fmt::join(texts, ", ")));
  return from.empty() ? "the options" : from + " and the options";
}

/// Where no file has a config: what the modules of the first subject that states one say. Its
/// label, or "".
std::string take_stated_config(Report& report) {
  for (const Subject& subject : report.subjects) {
    if (!subject.checkpoint || !states_config(*subject.checkpoint)) continue;
    report.given_config = run_config(*subject.checkpoint, Json()).config;
    return subject.label;
  }
  return "";
}

/// A subject without a config takes the given one, or the first that there is: what that says of
/// the model is then said of it too.
void borrow_configs(Report& report, const ExplainOptions& options) {
  std::string from = options.config_path;
  report.given_config = options.config;
  const auto owner = std::find_if(
      report.subjects.begin(), report.subjects.end(),
      [](const Subject& s) { return s.checkpoint && s.checkpoint->config.is_object(); });
  const bool has_fields = options.fields.is_object() && !options.fields.empty();
  const bool none = from.empty() && owner == report.subjects.end();
  const std::string stated = none ? take_stated_config(report) : "";
  if (none && stated.empty() && !has_fields) return;
  if (from.empty()) from = owner == report.subjects.end() ? stated : owner->label;
  if (has_fields) from = give_fields(report, options.fields, from);
  for (Subject& subject : report.subjects) {
    if (!subject.checkpoint || subject.checkpoint->config.is_object()) continue;
    if (!subject.checkpoint->config_faults.empty()) continue;  // it has one that cannot be read
    if (!stated.empty() && states_config(*subject.checkpoint)) continue;
    subject.config_borrowed_from = from;
    report.assumed.push_back(subject.label + ": config from " + from);
  }
}

Report explain_now(const std::vector<SubjectOptions>& subjects, const ExplainOptions& options) {
  Report report;
  report.command = "explain";
  report.scope = options.scope;
  if (subjects.size() == 2 && are_training_runs(subjects)) {
    compare_training_runs(report, subjects);
    return report;
  }
  open_subjects(report, subjects, {.cross_check = true, .threads = options.threads});
  if (is_model_and_trace(report)) {
    if (report.scope.filter) {
      add_gap(report, "--filter: a model and a recorded run are compared in full", Gap::blocking);
      return report;
    }
    compare_with_truth(report, {.threads = options.threads, .input = options.input});
    return report;
  }
  if (are_traces(report)) {
    compare_traces(report, options.threads);
    return report;
  }
  if (are_step_traces(report)) {
    compare_step_traces(report);
    return report;
  }
  if (refuse_recorded(report,
                      "a recorded run is held against one model or one other recorded run: "
                      "name two subjects"))
    return report;
  compare_subjects(report, options.threads);
  borrow_configs(report, options);
  for (const Subject& subject : report.subjects) note_wrapper(report, subject);
  if (options.files_only) {
    add_gap(report,
            "outputs: no forward pass was run; what is said rests on the files and on the model's "
            "definition",
            Gap::open);
  } else if (options.torch) {
    run_in_torch(report, options.torch, options.threads);
  } else {
    run_subjects(report,
                 {.threads = options.threads, .input = options.input, .more = options.more});
    for (const Subject& subject : report.subjects) note_foreign_class(report, subject);
  }
  apply_rules(report, {.threads = options.threads, .preprocessing_role = Role::risk});
  report.verdict = verdict_of_comparison(report);
  settle_close(report);
  if (report.verdict == Verdict::same) list_uncompared(report);
  return report;
}

}  // namespace

Report explain(const std::vector<SubjectOptions>& subjects, const ExplainOptions& options) {
  SAMEBITS_CHECK(subjects.size() >= 2);
  return *reported("explain", subjects, [&] { return explain_now(subjects, options); });
}

}  // namespace samebits
