#include "samebits/explain/resume.h"

#include <algorithm>

#include <fmt/format.h>

#include "samebits/explain/directory_load.h"
#include "samebits/explain/native_training.h"
#include "samebits/explain/reported.h"
#include "samebits/explain/resume_generators.h"
#include "samebits/explain/resume_loop.h"
#include "samebits/explain/resume_numbers.h"
#include "samebits/explain/resume_optimizer.h"
#include "samebits/explain/resume_pair.h"
#include "samebits/explain/resume_remedies.h"
#include "samebits/explain/rules.h"
#include "samebits/explain/trainer_resume.h"
#include "samebits/model/predict_load.h"

namespace samebits {
namespace {

/// The row of the table of remedies.
std::string_view remedy_part(const std::string& part) {
  if (part == "optimizer moments") return "optimizer";
  if (part.starts_with("rng")) return "rng";
  return part == "sampler position" ? std::string_view("position") : std::string_view(part);
}

ResumeRow judge_weights(const ResumeFacts& facts) {
  if (facts.checkpoint->has_weights()) {
    const std::size_t count = facts.checkpoint->weights().weights.size();
    return resume_row("weights", "present", facts.checkpoint->weights().key,
                      counted(count, "tensor") + further_models(facts));
  }
  ResumeRow row = resume_row("weights", "missing");
  row.issues.push_back({.missing = {"weights"}, .summary = "no weights of a model are in it"});
  return row;
}

/// What could not be read may hold what seems to be missing.
void doubt_missing(const ResumeFacts& facts, ResumeRows& rows) {
  const bool shard = facts.checkpoint->path.ends_with(".distcp");
  if (!shard && facts.state.source.unread.empty()) return;
  for (ResumeRow& row : rows) {
    if (row.part.state != "missing") continue;
    row.part.state = "not read";
    row.issues.clear();
  }
}

/// Those of a checkpoint of samebits train, where it is one.
ResumeRows judge_all(const ResumeFacts& facts, std::optional<ResumeRows> native) {
  ResumeRows rows = {judge_weights(facts)};
  const auto add = [&](ResumeRows more) {
    for (ResumeRow& row : more) rows.push_back(std::move(row));
  };
  if (native) {
    add(std::move(*native));
    return rows;
  }
  add(judge_optimizers(facts));
  add(judge_schedulers(facts));
  add({judge_step(facts)});
  add(judge_generators(facts));
  add({judge_position(facts)});
  add(judge_gradients(facts));
  add(judge_scaler(facts));
  add(judge_average(facts));
  add(judge_numbers_of_files(facts));
  doubt_missing(facts, rows);
  return rows;
}

Json present_in(const ResumeRows& rows) {
  Json present = Json::array();
  for (const ResumeRow& row : rows) {
    if (row.part.state == "present") present.push_back(row.part.part);
  }
  return present;
}

Finding issue_finding(const ResumeFacts& facts, const ResumeRow& row, const ResumeIssue& issue,
                      const Json& present, const std::string& label) {
  const ResumeRemedy remedy = resume_remedy(remedy_part(row.part.part), facts.state.framework);
  Finding finding{.cause = "resume.missing",
                  .role = issue.role,
                  .proof = Proof::observed,
                  .subjects = {label},
                  .summary = issue.summary,
                  .details = issue.details};
  const bool lost = issue.lost || row.part.state == "missing" || row.part.state == "fresh";
  if (lost && issue.role != Role::note)
    finding.details.push_back("without it: " + std::string(remedy.without));
  finding.evidence = {{"missing", issue.missing}, {"present", present}};
  for (const auto& [key, value] : issue.evidence.items()) finding.evidence[key] = value;
  finding.remedy = issue.remedy.empty() ? std::string(remedy.remedy) : issue.remedy;
  if (issue.role == Role::note && issue.remedy.empty()) finding.remedy.clear();
  return finding;
}

/// Weights alone: one finding says it all.
Finding only_weights_finding(const ResumeRows& rows, const std::string& label) {
  Finding finding{
      .cause = "resume.missing",
      .role = Role::risk,
      .proof = Proof::observed,
      .subjects = {label},
      .summary = "it holds weights alone: a training that goes on from it is a new one"};
  Json missing = Json::array();
  for (const ResumeRow& row : rows) {
    if (row.part.state == "missing") missing.push_back(row.part.part);
  }
  finding.details.emplace_back(
      "no optimizer, schedule, count of steps, generator or sampler stands in it");
  finding.evidence = {{"missing", std::move(missing)}, {"present", present_in(rows)}};
  finding.remedy = "Resume from the checkpoint that the training wrote for that, if there is one";
  return finding;
}

/// Of two files only what is in doubt becomes a finding: what is missing in one is no
/// contradiction.
enum class RowFindings : std::uint8_t { all, doubts };

/// A step is counted: nobody's weights alone.
bool counts_steps(const ResumeRows& rows) {
  return std::ranges::any_of(rows, [](const ResumeRow& row) {
    return row.part.part == "step" && row.part.state != "missing";
  });
}

void add_rows(Report& report, const ResumeFacts& facts, const ResumeRows& rows,
              const std::string& label, RowFindings wanted) {
  const Json present = present_in(rows);
  const bool only_weights =
      facts.has_only_weights() && facts.checkpoint->has_weights() && !counts_steps(rows);
  for (const ResumeRow& row : rows) {
    report.resume.push_back(row.part);
    report.resume.back().subject = label;
    for (const std::string& text : row.unread) add_gap(report, text, Gap::blocking);
    if (only_weights || (wanted == RowFindings::doubts && row.part.state != "in doubt")) continue;
    for (const ResumeIssue& issue : row.issues)
      add_finding(report, issue_finding(facts, row, issue, present, label));
  }
  if (only_weights && wanted == RowFindings::all)
    add_finding(report, only_weights_finding(rows, label));
}

void note_not_read(Report& report, const ResumeFacts& facts) {
  for (const std::string& text : facts.state.not_read) add_gap(report, text, Gap::blocking);
  for (const Error& error : facts.state.source.unread) {
    const std::string text = to_string(error);
    if (std::ranges::find(report.not_checked, text) != report.not_checked.end()) continue;
    add_gap(report, text, Gap::blocking);
  }
}

/// What the Trainer would make of the weights' names, as check says it with its loads.
void find_trainer_weights(Report& report, const Subject& subject) {
  const Checkpoint& checkpoint = *subject.checkpoint;
  if (!is_trainer_checkpoint(checkpoint) || !checkpoint.has_weights()) return;
  report.lost_on_resume = renamed_on_disk(checkpoint);
  const Result<model::TargetName> name = model::parse_target("transformers-5");
  const StoredWeights weights = stored_weights(checkpoint);
  const Json* config = checkpoint.config.is_object() ? &checkpoint.config : nullptr;
  if (!name || !weights.quantized.empty()) return;
  const Result<model::LoadTarget> target = model::make_target(*name, config, weights.shapes);
  if (!target) return find_renamed_on_disk(report);
  const model::LoadOutcome outcome =
      model::predict_load(*target, weights.shapes, model::Way::from_pretrained);
  find_lost_on_resume(
      report, checkpoint,
      {.loaded = outcome.count(model::TargetState::loaded), .raises = outcome.raises},
      resumed_load(*target, checkpoint, weights.shapes));
}

void judge_one(Report& report, const Subject& subject) {
  const ResumeFacts facts = read_resume_facts(*subject.checkpoint);
  add_rows(report, facts, judge_all(facts, native_training_rows(*subject.checkpoint)),
           subject.label, RowFindings::all);
  note_not_read(report, facts);
  find_trainer_weights(report, subject);
}

void judge_pair(Report& report) {
  const ResumeFacts a = read_resume_facts(*report.subjects[0].checkpoint);
  ResumeFacts b = read_resume_facts(*report.subjects[1].checkpoint);
  if (new_start(a, b) != NewStart::none) {
    b.begun_at_step = a.step;
    b.begun_at_epoch = a.epoch;
  }
  add_rows(report, a, judge_all(a, native_training_rows(*a.checkpoint)), "A", RowFindings::doubts);
  add_rows(report, b, judge_all(b, native_training_rows(*b.checkpoint)), "B", RowFindings::doubts);
  note_not_read(report, a);
  note_not_read(report, b);
  find_contradictions(report, a, b);
}

/// A directory that is no checkpoint for open_checkpoint() may be one of parts that are named.
void name_unread_parts(Report& report) {
  for (const Subject& subject : report.subjects) {
    if (subject.checkpoint) continue;
    for (std::string& text : unread_training_parts(subject.path))
      report.not_checked.push_back(std::move(text));
  }
}

Report resume_now(const SubjectOptions& checkpoint, const std::optional<SubjectOptions>& next,
                  int threads) {
  Report report;
  report.command = "resume";
  std::vector<SubjectOptions> subjects = {checkpoint};
  if (next) subjects.push_back(*next);
  open_subjects(report, subjects, {.threads = threads});
  name_unread_parts(report);
  const bool all_read = std::ranges::all_of(
      report.subjects, [](const Subject& subject) { return subject.checkpoint.has_value(); });
  if (all_read) next ? judge_pair(report) : judge_one(report, report.subjects[0]);
  apply_rules(report, {.threads = threads});
  const bool native = all_read && std::ranges::all_of(report.subjects, [](const Subject& subject) {
                        return is_native_training(*subject.checkpoint);
                      });
  if (all_read && !native) {
    report.not_checked.emplace_back(
        "the script that goes on: whether it restores what is here, and in which order");
    report.not_checked.emplace_back(
        "checksums, and weights for NaN and the like (inspect --deep reads them)");
  }
  report.verdict = verdict_of_checkpoint(report);
  return report;
}

}  // namespace

Report resume(const SubjectOptions& checkpoint, const std::optional<SubjectOptions>& next,
              int threads) {
  std::vector<SubjectOptions> subjects = {checkpoint};
  if (next) subjects.push_back(*next);
  return *reported("resume", subjects, [&] { return resume_now(checkpoint, next, threads); });
}

}  // namespace samebits
