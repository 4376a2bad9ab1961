#include "samebits/explain/file_findings.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "samebits/checkpoint/calls.h"
#include "samebits/compare/name_pieces.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

std::string joined(const std::vector<std::string>& names, std::size_t limit) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < limit; ++i)
    text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > limit) text += fmt::format(" and {} more", names.size() - limit);
  return text;
}

/// A definition that draws in forward(), by model_type.
struct Drawing {
  std::string_view model_type;
  std::string_view where;     // module that draws
  std::string_view draws;     // what it calls
  std::string_view argument;  // how a caller shares the randomness
};
constexpr std::array kDrawing = std::to_array<Drawing>({
    {"vit_mae", "vit.embeddings", "torch.rand(batch, patches)", "noise"},
});

const Drawing* find_drawing(const std::string& model_type) {
  for (const Drawing& drawing : kDrawing) {
    if (drawing.model_type == model_type) return &drawing;
  }
  return nullptr;
}

struct Requirement {
  const char* name;
  std::optional<std::string> TrainingState::* where;
};
constexpr std::array kRequirements = std::to_array<Requirement>({
    {"optimizer", &TrainingState::optimizer},
    {"step", &TrainingState::step},
    {"scheduler", &TrainingState::scheduler},
    {"rng", &TrainingState::rng},
    {"sampler", &TrainingState::sampler},
});

/// The path; the root, which has none, by its class.
std::string module_label(const ModuleRecord& module) {
  const std::size_t dot = module.class_path.rfind('.');
  return module.path.empty() ? "the root, " + module.class_path.substr(dot + 1) : module.path;
}

}  // namespace

void find_calls(Report& report, const Subject& subject) {
  std::vector<std::string> acting;
  std::vector<std::string> unknown;
  Json calls = Json::array();
  for (const CallSummary& call : subject.checkpoint->calls) {
    if (call.plain || call.constructs) continue;
    (can_act(call.global) ? acting : unknown).push_back(call.global);
    if (calls.size() < 100)
      calls.push_back({{"global", call.global}, {"count", call.count}, {"how", call.how}});
  }
  if (calls.empty()) return;
  Finding finding{.cause = "file.calls",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {subject.label}};
  finding.summary = acting.empty() ? "loading this pickle would call " + joined(unknown, 3) +
                                         ", which is no known reconstruction of data"
                                   : "loading this pickle would call " + joined(acting, 3) +
                                         ", which no checkpoint needs";
  if (!acting.empty() && !unknown.empty())
    finding.details.push_back("it would also call " + joined(unknown, 3));
  finding.evidence = {{"calls", std::move(calls)}};
  finding.remedy = acting.empty() ? "Load it only if you know that class or function; "
                                    "torch.load(weights_only=True) refuses it"
                                  : "Do not load it with torch.load(weights_only=False) or pickle; "
                                    "get the weights from a source that you trust";
  report.findings.push_back(std::move(finding));
}

void find_training_mode(Report& report, const Subject& subject) {
  // What differs between two subjects is said of the pair.
  const bool said =
      std::any_of(report.findings.begin(), report.findings.end(), [&](const Finding& finding) {
        return finding.cause == "mode.training" &&
               std::count(finding.subjects.begin(), finding.subjects.end(), subject.label) > 0;
      });
  if (said) return;
  std::vector<std::string> random;
  std::vector<std::string> statistics;
  std::vector<std::string> unknown;
  std::vector<std::string> all;
  for (const ModuleRecord& module : subject.checkpoint->modules) {
    if (!module.training) continue;
    all.push_back(module_label(module));
    switch (mode_effect(module)) {
      case ModeEffect::random: random.push_back(all.back()); break;
      case ModeEffect::statistics: statistics.push_back(all.back()); break;
      case ModeEffect::unknown: unknown.push_back(all.back()); break;
      case ModeEffect::none: break;
    }
  }
  if (all.empty()) return;
  const bool matters = !random.empty() || !statistics.empty();
  Finding finding{.cause = "mode.training",
                  .role = matters ? Role::risk : Role::note,
                  .proof = Proof::observed,
                  .subjects = {subject.label}};
  finding.summary = fmt::format(
      "{} in training mode, {}",
      counted_of(all.size(), subject.checkpoint->modules.size(), "module", "is", "are"),
      matters ? "and it changes outputs" : "none of them dropout or batch norm that acts on it");
  if (!random.empty()) finding.details.push_back("dropout is active in " + joined(random, 3));
  if (!statistics.empty())
    finding.details.push_back("batch statistics are used and updated in " + joined(statistics, 3));
  if (!unknown.empty())
    finding.details.push_back("whether own code uses the flag is not known: " + joined(unknown, 3));
  std::vector<std::string> named = matters ? random : all;
  if (matters) named.insert(named.end(), statistics.begin(), statistics.end());
  finding.evidence = {{"modules", name_list(named)}, {"in_training_mode", all.size()}};
  finding.remedy = "Call model.eval() after loading, before any output is compared";
  report.findings.push_back(std::move(finding));
}

void find_invalid(Report& report, const Subject& subject) {
  const Checkpoint& checkpoint = *subject.checkpoint;
  std::vector<std::string> names;
  std::vector<std::string> details;
  for (const Oddity& oddity : checkpoint.oddities) {
    if (oddity.kind != Oddity::Kind::bad_checksum && oddity.kind != Oddity::Kind::not_finite)
      continue;
    details.push_back(oddity.summary);
    names.insert(names.end(), oddity.tensors.begin(), oddity.tensors.end());
  }
  for (const StoredTensor& tensor : checkpoint.entries) {
    if (tensor.readable || tensor.device == "meta") continue;
    names.push_back(tensor.path);
    details.push_back(tensor.note);
  }
  if (details.empty()) return;
  const std::size_t count = details.size();
  details.erase(std::unique(details.begin(), details.end()), details.end());
  Finding finding{.cause = "weights.invalid",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {subject.label}};
  finding.summary =
      count == 1
          ? details[0]
          : fmt::format("{} records or tensors are damaged or hold values that are not finite",
                        count);
  if (count > 1)
    finding.details.assign(
        details.begin(),
        details.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(details.size(), 5)));
  std::sort(names.begin(), names.end(), natural_less);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  finding.evidence = {{"count", names.size()}, {"tensors", name_list(names)}};
  finding.remedy = "Get the file again from its source, or from an earlier save";
  report.findings.push_back(std::move(finding));
}

void find_resume_leftovers(Report& report, const Subject& subject) {
  const Checkpoint& checkpoint = *subject.checkpoint;
  if (!checkpoint.training.optimizer) return;
  Json present = Json::array();
  std::vector<std::string> missing;
  for (const Requirement& requirement : kRequirements) {
    if (checkpoint.training.*requirement.where) {
      present.push_back(requirement.name);
    } else {
      missing.emplace_back(requirement.name);
    }
  }
  if (missing.empty()) return;
  Finding finding{.cause = "resume.missing",
                  .role = Role::note,
                  .proof = Proof::observed,
                  .subjects = {subject.label}};
  finding.summary = "it is a checkpoint of a training, without what exact resumption needs: " +
                    joined(missing, 5);
  finding.evidence = {{"missing", missing}, {"present", std::move(present)}};
  finding.remedy =
      "It does not change what the model computes; it matters when the training goes on";
  report.findings.push_back(std::move(finding));
}

bool draws_noise(const std::string& model_type) { return find_drawing(model_type) != nullptr; }

void find_noise(Report& report, const std::vector<std::string>& labels,
                const std::string& model_type, const Json& config) {
  const Drawing* drawing = find_drawing(model_type);
  if (drawing == nullptr) return;
  Finding finding{
      .cause = "rng.noise", .role = Role::cause, .proof = Proof::suspected, .subjects = labels};
  finding.summary = "every forward pass draws a new random mask";
  finding.details.push_back(
      fmt::format("{} calls {} in every forward pass, in eval mode too: so {} is defined",
                  drawing->where, drawing->draws, model_type));
  if (config.is_object() && config.contains("mask_ratio") && config["mask_ratio"].is_number()) {
    finding.details.push_back(
        config["mask_ratio"] == 0
            ? "mask_ratio = 0 is not enough: the tokens are still shuffled by that noise"
            : fmt::format("mask_ratio {}: other patches are kept in every call; 0 would still "
                          "shuffle the tokens",
                          config["mask_ratio"].dump()));
  }
  finding.evidence = {{"module", drawing->where}, {"draws", drawing->draws}};
  finding.remedy = fmt::format(
      "Pass one noise to all of them: model(pixel_values, {0}={0}) with {0} = {1} drawn once",
      drawing->argument, drawing->draws);
  finding.settle =
      "Run each of them twice on one input, then all with one noise; equal bits prove it";
  report.findings.push_back(std::move(finding));
}

}  // namespace samebits
