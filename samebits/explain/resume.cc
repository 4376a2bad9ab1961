#include "samebits/explain/resume.h"

#include <algorithm>

#include <fmt/format.h>

#include "samebits/explain/directory_load.h"
#include "samebits/explain/file_findings.h"
#include "samebits/explain/file_risks.h"
#include "samebits/explain/loading_findings.h"
#include "samebits/explain/reported.h"
#include "samebits/explain/resume_generators.h"
#include "samebits/explain/resume_loop.h"
#include "samebits/explain/resume_optimizer.h"
#include "samebits/explain/resume_pair.h"
#include "samebits/explain/resume_remedies.h"
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
                      counted(count, "tensor"));
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

ResumeRows judge_all(const ResumeFacts& facts) {
  ResumeRows rows = {judge_weights(facts)};
  const auto add = [&](ResumeRows more) {
    for (ResumeRow& row : more) rows.push_back(std::move(row));
  };
  add(judge_optimizers(facts));
  add(judge_schedulers(facts));
  add({judge_step(facts)});
  add(judge_generators(facts));
  add({judge_position(facts)});
  add(judge_scaler(facts));
  add(judge_average(facts));
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

Finding finding_of(const ResumeFacts& facts, const ResumeRow& row, const ResumeIssue& issue,
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

void add_rows(Report& report, const ResumeFacts& facts, const ResumeRows& rows,
              const std::string& label, bool with_findings) {
  const Json present = present_in(rows);
  const bool only_weights = facts.has_only_weights() && facts.checkpoint->has_weights();
  for (const ResumeRow& row : rows) {
    report.resume.push_back(row.part);
    report.resume.back().subject = label;
    for (const std::string& text : row.unread) report.not_checked.push_back(text);
    report.incomplete |= !row.unread.empty();
    if (only_weights || !with_findings) continue;
    for (const ResumeIssue& issue : row.issues)
      report.findings.push_back(finding_of(facts, row, issue, present, label));
  }
  if (only_weights && with_findings) report.findings.push_back(only_weights_finding(rows, label));
}

void note_not_read(Report& report, const ResumeFacts& facts) {
  for (const std::string& text : facts.state.not_read) {
    report.not_checked.push_back(text);
    report.incomplete = true;
  }
  for (const Error& error : facts.state.source.unread) {
    const std::string text = to_string(error);
    if (std::ranges::find(report.not_checked, text) != report.not_checked.end()) continue;
    report.not_checked.push_back(text);
    report.incomplete = true;
  }
}

/// What the Trainer would make of the weights' names: known for the classes of the name tables.
void find_trainer_weights(Report& report, const Subject& subject) {
  const Checkpoint& checkpoint = *subject.checkpoint;
  if (!is_trainer_checkpoint(checkpoint) || !checkpoint.has_weights()) return;
  const Result<model::TargetName> name = model::parse_target("transformers-5");
  const StoredWeights weights = stored_weights(checkpoint);
  const Json* config = checkpoint.config.is_object() ? &checkpoint.config : nullptr;
  if (!name || !weights.quantized.empty()) return;
  const Result<model::LoadTarget> target = model::make_target(*name, config, weights.shapes);
  if (target) {
    Report loads;  // check lists them
    find_trainer_resume(loads, *target, weights.shapes);
    for (Finding& finding : loads.findings) report.findings.push_back(std::move(finding));
  } else {
    report.not_checked.push_back(
        checkpoint.path +
        ": whether the Trainer's load_state_dict(strict=False) finds the weights by their names: "
        "the class is not one that samebits knows");
  }
}

/// Whether torch.load takes the file is no matter of resuming, but stands in its way.
void note_load_refused(Report& report, const Subject& subject) {
  Report loads;
  find_load_refused(loads, subject);
  for (const Finding& found : loads.findings) {
    Finding note = found;
    note.role = Role::note;
    report.findings.push_back(std::move(note));
  }
}

void judge_one(Report& report, const Subject& subject) {
  const ResumeFacts facts = read_resume_facts(*subject.checkpoint);
  add_rows(report, facts, judge_all(facts), subject.label, true);
  note_not_read(report, facts);
  find_trainer_weights(report, subject);
  find_calls(report, subject);
  note_load_refused(report, subject);
  find_file_risks(report, subject);
}

void judge_pair(Report& report) {
  const ResumeFacts a = read_resume_facts(*report.subjects[0].checkpoint);
  const ResumeFacts b = read_resume_facts(*report.subjects[1].checkpoint);
  add_rows(report, a, judge_all(a), "A", false);
  add_rows(report, b, judge_all(b), "B", false);
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
  sort_findings(&report.findings);
  const bool risk = std::ranges::any_of(
      report.findings, [](const Finding& finding) { return finding.role != Role::note; });
  if (all_read) {
    report.not_checked.emplace_back(
        "the script that goes on: whether it restores what is here, and in which order");
    report.not_checked.emplace_back(
        "checksums, and weights for NaN and the like (inspect --deep reads them)");
  }
  report.verdict = report.incomplete ? Verdict::unknown : risk ? Verdict::risk : Verdict::clean;
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
