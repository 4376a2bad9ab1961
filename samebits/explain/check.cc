#include "samebits/explain/check.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "samebits/compare/name_pieces.h"
#include "samebits/explain/config_findings.h"
#include "samebits/explain/file_findings.h"
#include "samebits/explain/file_risks.h"
#include "samebits/explain/load_list.h"
#include "samebits/explain/reported.h"
#include "samebits/model/predict_load.h"

namespace samebits {
namespace {

using model::LoadOutcome;
using model::TargetState;
using model::Way;

std::vector<model::StoredShape> stored_shapes(const Checkpoint& checkpoint) {
  std::vector<model::StoredShape> shapes;
  for (const std::uint32_t index : checkpoint.weights().weights)
    shapes.push_back({checkpoint.entries[index].name, checkpoint.entries[index].view.shape()});
  return shapes;
}

void describe_target(const model::TargetTensor& target, LoadReport& load) {
  if (target.state == TargetState::missing) load.random.push_back(target.spec.name);
  if (target.state == TargetState::mismatched) load.mismatched.push_back(target.spec.name);
}

LoadReport load_report(const model::LoadTarget& target, const LoadOutcome& outcome) {
  LoadReport load;
  load.target =
      std::string(library_name(target.library)) + ":" + std::string(target.model_class->name);
  load.way = model::way_name(outcome.way);
  load.target_tensors = outcome.targets.size();
  load.loaded = outcome.count(TargetState::loaded);
  for (const model::TargetTensor& tensor : outcome.targets) describe_target(tensor, load);
  std::vector<std::string_view> dropped;
  for (const model::Dropped& each : outcome.dropped) dropped.push_back(each.name);
  for (const std::uint32_t i : listing_order(dropped)) load.dropped.emplace_back(dropped[i]);
  load.raises = outcome.raises;
  load.silent = outcome.missing_notice == model::Notice::silent ||
                outcome.dropped_notice == model::Notice::silent;
  for (const model::RenameRule& rule : outcome.repair.rules)
    load.repair.push_back({rule.from, rule.to, rule.count});
  for (const model::Refit& refit : outcome.repair.refits)
    load.refits.push_back({refit.from, refit.to, refit.count});
  load.restored = outcome.repair.restored.size();
  load.written_for_5_only = outcome.written_for_5_only;
  return load;
}

/// What the loads have in common with the findings of other commands.
Finding load_finding(const LoadReport& load, const char* cause,
                     const std::vector<std::string>& names, std::string summary) {
  Finding finding{.cause = cause, .role = Role::risk, .proof = Proof::observed, .subjects = {"A"}};
  finding.summary = std::move(summary);
  finding.evidence = {{"count", names.size()},
                      {"tensors", name_list(names)},
                      {"target", load.target},
                      {"way", load.way}};
  return finding;
}

std::string repair_text(const LoadReport& load) {
  if (load.repair.empty() && load.refits.empty())
    return "Nothing in the file would fill them: train them, or take another checkpoint";
  constexpr std::size_t kShown = 2;
  std::string text = "Rename before loading:";
  for (std::size_t i = 0; i < std::min(load.repair.size(), kShown); ++i) {
    const RenameRule& rule = load.repair[i];
    text +=
        fmt::format("{} {} -> {}", i == 0 ? "" : ";", rule.from.empty() ? "(nothing)" : rule.from,
                    rule.to.empty() ? "(nothing)" : rule.to);
  }
  if (load.repair.size() > kShown)
    text += fmt::format("; and {} more", load.repair.size() - kShown);
  if (load.repair.empty()) text = "Rearrange before loading";
  if (!load.refits.empty())
    text += fmt::format("; {} cut or stacked along dimension 0",
                        counted(load.refits.size(), "template"));
  return text + fmt::format(" (restores {} of {})", load.restored,
                            load.random.size() + load.mismatched.size());
}

void find_load_risks(Report& report, const LoadReport& load) {
  const std::string told = load.silent ? "without a word" : "with a warning";
  if (!load.random.empty()) {
    Finding finding =
        load_finding(load, "weights.reinitialized", load.random,
                     fmt::format("{} would leave {} of {} at random initial values, {}", load.way,
                                 load.random.size(), counted(load.target_tensors, "tensor"), told));
    if (load.written_for_5_only)
      finding.details.push_back(
          "transformers 5.24.0 writes this class under these names, which 4.57.6 does not know");
    finding.remedy = repair_text(load);
    report.findings.push_back(std::move(finding));
  }
  if (!load.dropped.empty()) {
    Finding finding = load_finding(load, "weights.missing", load.dropped,
                                   fmt::format("{} would be dropped: the target has no such name",
                                               counted(load.dropped.size(), "tensor")));
    if (load.random.empty())
      finding.remedy =
          "Nothing to do where the target is meant to lack them (a head, a decoder); else take "
          "another class";
    report.findings.push_back(std::move(finding));
  }
  if (!load.mismatched.empty()) {
    Finding finding = load_finding(
        load, "weights.missing", load.mismatched,
        counted(load.mismatched.size(), "tensor", "has", "have") + " another shape in the target");
    if (!load.raises.empty())
      finding.details.push_back("the load ends with an error: " + load.raises);
    finding.remedy = "Use a config of the same sizes";
    report.findings.push_back(std::move(finding));
  }
}

Result<void> check_built_in(Report& report, const model::TargetName& name) {
  const Checkpoint& checkpoint = *report.subjects[0].checkpoint;
  const std::vector<model::StoredShape> shapes = stored_shapes(checkpoint);
  const Json* config = checkpoint.config.is_object() ? &checkpoint.config : nullptr;
  SAMEBITS_TRY(const model::LoadTarget target, model::make_target(name, config, shapes));
  const bool transformers = name.library == model::Library::transformers4 ||
                            name.library == model::Library::transformers5;
  const bool directory = checkpoint.kind == CheckpointKind::hf_directory;
  const Way first = directory && transformers ? Way::from_pretrained : Way::state_dict;
  report.loads.push_back(load_report(target, model::predict_load(target, shapes, first)));
  if (!transformers) return {};
  const Way second = first == Way::from_pretrained ? Way::state_dict : Way::from_pretrained;
  report.loads.push_back(load_report(target, model::predict_load(target, shapes, second)));
  return {};
}

Result<void> check_list(Report& report, const std::string& target) {
  const Checkpoint& checkpoint = *report.subjects[0].checkpoint;
  SAMEBITS_TRY(const std::vector<model::StoredShape> names, read_load_list(target));
  report.loads.push_back(load_into_list(names, stored_shapes(checkpoint), target));
  return {};
}

Result<Report> check_now(const SubjectOptions& options, const std::string& target, int threads) {
  Report report;
  report.command = "check";
  const Result<model::TargetName> built_in = model::parse_target(target);
  if (!built_in && !is_load_list(target)) return fail(built_in.error());
  open_subjects(report, {options}, {.cross_check = true, .threads = threads});
  const Subject& subject = report.subjects[0];
  if (subject.checkpoint && !subject.checkpoint->has_weights()) {
    report.not_checked.push_back(subject.path + ": holds no weights to load");
    report.incomplete = true;
  }
  if (subject.checkpoint && subject.checkpoint->has_weights()) {
    Result<void> checked =
        built_in ? check_built_in(report, *built_in) : check_list(report, target);
    if (!checked && checked.error().code == ErrorCode::usage) return fail(checked.error());
    if (!checked) {
      report.not_checked.push_back(to_string(checked.error()));
      report.incomplete = true;
    }
    if (!report.loads.empty()) find_load_risks(report, report.loads[0]);
    find_calls(report, subject);
    find_label_conflict(report, subject);
    find_file_risks(report, subject);
  }
  sort_findings(&report.findings);
  report.verdict = report.incomplete         ? Verdict::unknown
                   : report.findings.empty() ? Verdict::clean
                                             : Verdict::risk;
  return report;
}

}  // namespace

Result<Report> check(const SubjectOptions& options, const std::string& target, int threads) {
  return reported("check", {options}, [&] { return check_now(options, target, threads); });
}

}  // namespace samebits
