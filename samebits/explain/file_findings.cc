#include "samebits/explain/file_findings.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "samebits/compare/name_pieces.h"
#include "samebits/explain/damaged_findings.h"
#include "samebits/explain/script_findings.h"
#include "samebits/explain/subjects.h"
#include "samebits/family/draws.h"

namespace samebits {
namespace {

std::string joined(const std::vector<std::string>& names, std::size_t limit) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < limit; ++i)
    text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > limit) text += fmt::format(" and {} more", names.size() - limit);
  return text;
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

constexpr std::size_t kMostCalls = 100;  // in the evidence

void add_new(const std::string& name, std::vector<std::string>* names) {
  if (std::find(names->begin(), names->end(), name) == names->end()) names->push_back(name);
}

/// What loading would do that is neither plain nor the making of objects.
struct NotableCalls {
  std::vector<std::string> acting, others, imported;
  std::vector<std::string> shown;  // the first ones, with what they would be given
  std::vector<std::string> files;  // beside the weights
  bool is_in_weights = false;
  bool acts = false;  // something of it can act on the machine
  Json calls = Json::array();

  std::string what() const {
    return is_in_weights || files.empty() ? "this pickle"
                                          : joined(files, 2) + ", beside the weights,";
  }
};

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

/// "os.system('true')"; of a change "os.environ['PATH'] = 'x'".
std::string shown_call(const CallSummary& call) {
  constexpr std::string_view kSets = ".__setitem__";
  const bool sets = call.global.ends_with(kSets) && call.arguments.starts_with('[');
  return call.global.substr(0, call.global.size() - (sets ? kSets.size() : 0)) + call.arguments;
}

NotableCalls notable_calls(const Checkpoint& checkpoint) {
  constexpr std::size_t kShown = 3;
  NotableCalls found;
  const auto add_file = [&](const std::string& beside) {
    if (beside.empty()) {
      found.is_in_weights = true;
    } else {
      add_new(file_name(beside), &found.files);
    }
  };
  // What can act comes first.
  for (const bool acting : {true, false}) {
    for (const CallSummary& call : checkpoint.calls) {
      if (call.plain || call.constructs || call.acts != acting) continue;
      add_new(call.global, acting ? &found.acting : &found.others);
      if (found.shown.size() < kShown) found.shown.push_back("that is " + shown_call(call));
      add_file(call.beside);
      if (found.calls.size() >= kMostCalls) continue;
      Json json = {{"global", call.global},
                   {"count", call.count},
                   {"how", call.how},
                   {"arguments", call.arguments}};
      if (!call.beside.empty()) json["file"] = call.beside;
      found.calls.push_back(std::move(json));
    }
  }
  const auto& imports = checkpoint.unusual_imports;
  const bool any =
      !found.calls.empty() || std::any_of(imports.begin(), imports.end(),
                                          [](const UnusualImport& import) { return import.acts; });
  for (const bool acting : {true, false}) {
    for (const UnusualImport& import : imports) {
      if (!any || import.acts != acting) continue;
      add_new(import.global, &found.imported);
      if (acting) add_file(import.beside);
    }
  }
  if (found.imported.size() > kMostCalls) found.imported.resize(kMostCalls);
  found.acts =
      !found.acting.empty() || std::any_of(imports.begin(), imports.end(),
                                           [](const UnusualImport& import) { return import.acts; });
  return found;
}

/// The path; the root, which has none, by its class.
std::string module_label(const ModuleRecord& module) {
  const std::size_t dot = module.class_path.rfind('.');
  return module.path.empty() ? "the root, " + module.class_path.substr(dot + 1) : module.path;
}

std::string model_type_of(const Report& report, const Subject& subject) {
  const Json& config = config_used(report, subject);
  if (config.is_object() && config.contains("model_type") && config["model_type"].is_string())
    return config["model_type"].get<std::string>();
  return subject.checkpoint->model_type;
}

void find_noise(Report& report, const std::vector<std::string>& labels,
                const std::string& model_type, const Json& config) {
  const Drawing* drawing = find_drawing(model_type);
  if (drawing == nullptr) return;
  Finding finding{
      .cause = "rng.noise", .role = Role::cause, .proof = Proof::suspected, .subjects = labels};
  finding.summary = "every forward pass draws a new random mask";
  finding.details.push_back(
      fmt::format("{} calls {} in every forward pass, in eval mode too: so {} is defined",
                  drawing->module, drawing->draws, model_type));
  if (config.is_object() && config.contains("mask_ratio") && config["mask_ratio"].is_number()) {
    finding.details.push_back(
        config["mask_ratio"] == 0
            ? "mask_ratio = 0 is not enough: the tokens are still shuffled by that noise"
            : fmt::format("mask_ratio {}: other patches are kept in every call; 0 would still "
                          "shuffle the tokens",
                          json_text(config["mask_ratio"])));
  }
  finding.evidence = {{"module", drawing->module}, {"draws", drawing->draws}};
  finding.remedy = fmt::format(
      "Pass one noise to all of them: model(pixel_values, {0}={0}) with {0} = {1} drawn once",
      drawing->argument, drawing->draws);
  finding.settle =
      "Run each of them twice on one input, then all with one noise; equal bits prove it";
  add_finding(report, std::move(finding));
}

}  // namespace

void find_calls(Report& report, const Subject& subject) {
  const NotableCalls found = notable_calls(*subject.checkpoint);
  if (!found.acts && found.others.empty()) return;
  Finding finding{.cause = "file.calls",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {subject.label}};
  if (!found.acting.empty()) {
    finding.summary = fmt::format("loading {} would call {}, which no checkpoint needs",
                                  found.what(), joined(found.acting, 3));
  } else if (!found.others.empty()) {
    finding.summary = fmt::format(
        "loading {} would call {}, which is not known to only "
        "rebuild data",
        found.what(), joined(found.others, 3));
  } else {
    finding.summary = fmt::format("loading {} would import {}, which no checkpoint needs",
                                  found.what(), joined(found.imported, 3));
  }
  if (!found.acting.empty() && !found.others.empty())
    finding.details.push_back("it would also call " + joined(found.others, 3));
  if (!found.imported.empty() && !(found.acting.empty() && found.others.empty()))
    finding.details.push_back("it would also import " + joined(found.imported, 3));
  finding.details.insert(finding.details.end(), found.shown.begin(), found.shown.end());
  finding.evidence = {{"calls", found.calls}};
  if (!found.imported.empty()) finding.evidence["imports"] = found.imported;
  finding.remedy = found.acts ? "Do not load it with torch.load(weights_only=False) or pickle; "
                                "get the weights from a source that you trust"
                              : "Load it only if you know that class or function; "
                                "torch.load(weights_only=True) refuses it";
  add_finding(report, std::move(finding));
}

void find_unusual_imports(Report& report, const Subject& subject) {
  const NotableCalls found = notable_calls(*subject.checkpoint);
  if (found.acts || !found.others.empty()) return;  // said there
  std::vector<std::string> names;
  for (const UnusualImport& import : subject.checkpoint->unusual_imports)
    add_new(import.global, &names);
  if (names.empty()) return;
  Finding finding{.cause = "file.calls",
                  .role = Role::note,
                  .proof = Proof::observed,
                  .subjects = {subject.label}};
  finding.summary = fmt::format(
      "loading this pickle would import {}, and not call {}: no usual value of a "
      "checkpoint",
      joined(names, 3), names.size() == 1 ? "it" : "them");
  if (names.size() > kMostCalls) names.resize(kMostCalls);
  finding.evidence = {{"calls", Json::array()}, {"imports", names}};
  add_finding(report, std::move(finding));
}

void find_training_mode(Report& report, const Subject& subject) {
  if (has_mode_in_code(*subject.checkpoint)) return find_mode_in_code(report, subject);
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
  add_finding(report, std::move(finding));
}

void find_invalid(Report& report, const Subject& subject) {
  const Checkpoint& checkpoint = *subject.checkpoint;
  std::vector<std::string> names;
  std::vector<std::string> details;
  bool all_unwritten = true;
  bool all_numbers = true;  // values that are not finite, and nothing else
  for (const Oddity& oddity : checkpoint.oddities) {
    if (oddity.kind != Oddity::Kind::bad_checksum && oddity.kind != Oddity::Kind::not_finite &&
        oddity.kind != Oddity::Kind::unwritten)
      continue;
    if (is_said_of_pair(report, subject, oddity)) continue;
    details.push_back(oddity.summary);
    all_unwritten = all_unwritten && oddity.kind == Oddity::Kind::unwritten;
    all_numbers = all_numbers && oddity.kind == Oddity::Kind::not_finite;
    names.insert(names.end(), oddity.tensors.begin(), oddity.tensors.end());
  }
  for (const StoredTensor& tensor : checkpoint.entries) {
    if (tensor.readable || tensor.absent || tensor.device == "meta") continue;
    names.push_back(tensor.path);
    details.push_back(tensor.note);
    all_unwritten = all_numbers = false;
  }
  if (details.empty()) return;
  const std::size_t count = details.size();
  details.erase(std::unique(details.begin(), details.end()), details.end());
  Finding finding{.cause = "weights.invalid",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {subject.label}};
  finding.summary = count == 1 ? details[0]
                    : all_unwritten
                        ? fmt::format("the values of {} records were never written", count)
                    : all_numbers ? fmt::format("{} tensors hold values that are not finite", count)
                                  : fmt::format(
                                        "{} records or tensors are damaged or hold values that are "
                                        "not finite",
                                        count);
  if (count > 1)
    finding.details.assign(
        details.begin(),
        details.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(details.size(), 5)));
  std::sort(names.begin(), names.end(), natural_less);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  finding.evidence = {{"count", names.size()}, {"tensors", name_list(names)}};
  finding.remedy =
      all_unwritten ? "Write the values into these records, or save again without skip_data"
      : all_numbers ? "Where they are no mask of infinities that is meant, go back to a "
                      "checkpoint from before the training diverged"
                    : "Get the file again from its source, or from an earlier save";
  add_finding(report, std::move(finding));
}

void find_valueless(Report& report, const Subject& subject) {
  std::vector<std::string> names;
  for (const StoredTensor& tensor : subject.checkpoint->entries)
    if (!tensor.readable && tensor.device == "meta") names.push_back(tensor.path);
  if (names.empty()) return;
  Finding finding{.cause = "weights.invalid",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {subject.label}};
  finding.summary = fmt::format(
      "the file holds no values of {}: {} saved on the meta device",
      names.size() == 1
          ? names[0]
          : fmt::format("{} of its {} tensors", names.size(), subject.checkpoint->entries.size()),
      names.size() == 1 ? "it was" : "they were");
  finding.details.emplace_back("load_state_dict() ends with a RuntimeError for such a tensor");
  finding.evidence = {{"count", names.size()}, {"tensors", name_list(names)}};
  finding.remedy =
      "Take the checkpoint that the model was to be filled from, or save again when its tensors "
      "have values";
  add_finding(report, std::move(finding));
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
  add_finding(report, std::move(finding));
}

bool draws_noise(const std::string& model_type) { return find_drawing(model_type) != nullptr; }

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

}  // namespace samebits
