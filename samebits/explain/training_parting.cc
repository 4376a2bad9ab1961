#include "samebits/explain/training_parting.h"

#include <algorithm>

#include <fmt/format.h>

#include "samebits/train/compare_runs.h"
#include "samebits/train/run_folder.h"

namespace samebits {
namespace {

constexpr const char* kParted = "training.parted";

/// What a part is, in a sentence.
std::string part_text(StepPart part) {
  switch (part) {
    case StepPart::batch: return "the batch: which samples, or their images";
    case StepPart::noise: return "the noise of masks and dropout";
    case StepPart::forward: return "the forward pass";
    case StepPart::backward: return "the backward pass";
    case StepPart::gradient: return "the gradient, or how it was clipped";
    case StepPart::moment: return "the second moments";
    case StepPart::update: break;
  }
  return "the update of the weights, for gradient and moments are the same";
}

std::string difference_text(const StepDifference& found) {
  return fmt::format(
      "{} is the first of {} that {}, of {} in all{}", found.name,
      counted(found.differing, "array"), found.differing == 1 ? "differs" : "differ", found.arrays,
      found.relative > 0 ? fmt::format("; by {:.2g} of its norm", found.relative) : "");
}

/// A recorded step: its inputs are the same, or they are what differs first.
std::string trace_text(const StepDifference& found) {
  if (found.part == StepPart::forward)
    return "the forward pass: batch and noise are the same, so the weights before it, or what "
           "computes with them, are not";
  return part_text(found.part);
}

Json evidence_of(const StepDifference& found) {
  return {{"part", step_part_name(found.part)},
          {"array", found.name},
          {"differing", found.differing},
          {"arrays", found.arrays},
          {"relative", found.relative}};
}

/// The first step that differs, and what in it, as far as the two trainings say.
class PartingWords {
 public:
  explicit PartingWords(const RunsCompared& runs) : runs_(runs), step_(*runs.first_step()) {}

  Finding finding() {
    Finding found{
        .cause = kParted, .role = Role::cause, .proof = Proof::observed, .subjects = {"A", "B"}};
    found.evidence = {{"step", step_}, {"options", runs_.options}};
    const std::string what = part(&found);
    const bool exact =
        runs_.same_before == step_ - 1 || runs_.loss_step == step_ || runs_.other_trace == step_;
    found.summary = what.empty() ? fmt::format("the trainings differ {} step {}",
                                               exact ? "in" : "no later than in", step_)
                                 : fmt::format("the trainings part in step {}: {}", step_, what);
    add_details(&found);
    if (what.empty())
      found.remedy = fmt::format(
          "Train both with --save-every 1, or with --trace-step {}: then this says what parts "
          "first",
          step_);
    return found;
  }

 private:
  /// "" where it is not known.
  std::string part(Finding* found) const {
    if (runs_.other_trace == step_) {
      found->evidence.update(evidence_of(runs_.trace));
      return trace_text(runs_.trace);
    }
    const bool behind_same = runs_.same_before == step_ - 1 || runs_.same_beginning == step_ - 1;
    if (behind_same && runs_.other_state == step_) {
      found->evidence.update(evidence_of(runs_.state));
      return part_text(runs_.state.part);
    }
    return "";
  }

  void add_details(Finding* found) const {
    if (runs_.loss_step)
      found->details.push_back(
          fmt::format("the loss of step {} is the first of {} that differs: {} "
                      "and {}",
                      *runs_.loss_step, runs_.losses, runs_.loss_a, runs_.loss_b));
    else if (runs_.losses > 0)
      found->details.push_back(
          fmt::format("the losses of {} are the same", counted(runs_.losses, "step")));
    if (runs_.same_beginning)
      found->details.emplace_back("they began with the same weights and moments");
    if (runs_.same_before)
      found->details.push_back(
          fmt::format("the state of step {} is the same bits: weights, moments "
                      "and generators",
                      *runs_.same_before));
    if (runs_.other_state)
      found->details.push_back(fmt::format("the state of step {} differs: {}", *runs_.other_state,
                                           difference_text(runs_.state)));
    if (runs_.other_trace)
      found->details.push_back(fmt::format("the recorded step {}: {}", *runs_.other_trace,
                                           difference_text(runs_.trace)));
    if (runs_.other_data) found->details.emplace_back("they learn from other data");
    for (const std::string& option : runs_.options)
      found->details.push_back("an option differs: " + option);
  }

  const RunsCompared& runs_;
  std::uint64_t step_;
};

/// What was compared, where nothing differs.
void note_same(Report& report, const RunsCompared& runs) {
  report.assumed.push_back(fmt::format(
      "compared: the losses of {}, the states of {}, {}", counted(runs.losses, "step"),
      counted(runs.saved.size(), "saved step"), counted(runs.recorded.size(), "recorded step")));
  for (const std::string& option : runs.options)
    report.assumed.push_back("an option differs, and has moved no bit so far: " + option);
}

}  // namespace

bool are_training_runs(const std::vector<SubjectOptions>& subjects) {
  return std::ranges::all_of(subjects, [](const SubjectOptions& each) {
    return each.in_memory == nullptr && is_training_run(each.path);
  });
}

void compare_training_runs(Report& report, const std::vector<SubjectOptions>& subjects) {
  const std::string& a = subjects[0].path;
  const std::string& b = subjects[1].path;
  const Result<RunsCompared> runs = compare_training_runs(a, b);
  std::vector<SubjectOptions> steps = subjects;
  for (SubjectOptions& each : steps) {
    const bool both = runs && !runs->saved.empty();
    each.path = both ? fmt::format("{}{}step-{}", each.path, each.path.ends_with('/') ? "" : "/",
                                   runs->saved.back())
                     : newest_checkpoint(each.path);
  }
  open_subjects(report, steps, {});
  if (!runs) return add_gap(report, to_string(runs.error()), Gap::open);
  if (runs->differ()) {
    add_finding(report, PartingWords(*runs).finding());
    report.verdict = Verdict::different;
    return;
  }
  if (runs->saved.empty() && runs->losses == 0)
    return add_gap(report, "no step was saved by both trainings, and no loss logged", Gap::open);
  report.verdict = report.gap == Gap::open ? Verdict::unknown : Verdict::same;
  note_same(report, *runs);
}

bool are_step_traces(const Report& report) {
  return report.subjects.size() == 2 &&
         std::ranges::all_of(report.subjects, [](const Subject& subject) {
           return subject.checkpoint && is_step_trace(*subject.checkpoint);
         });
}

void compare_step_traces(Report& report) {
  const auto compared =
      samebits::compare_step_traces(*report.subjects[0].checkpoint, *report.subjects[1].checkpoint);
  if (!compared) return add_gap(report, to_string(compared.error()), Gap::open);
  report.verdict = Verdict::same;
  if (!*compared) return;
  const StepDifference& found = **compared;
  Finding finding{.cause = kParted,
                  .role = Role::cause,
                  .proof = Proof::observed,
                  .subjects = {"A", "B"},
                  .summary = "the two steps part in " + trace_text(found),
                  .details = {difference_text(found)},
                  .evidence = evidence_of(found)};
  report.verdict = Verdict::different;
  add_finding(report, std::move(finding));
}

}  // namespace samebits
