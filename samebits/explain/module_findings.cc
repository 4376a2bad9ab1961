#include "samebits/explain/module_findings.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "samebits/run/module_config.h"
#include "samebits/run/open_vit.h"

namespace samebits {
namespace {

/// All modules contradict a field of the config: they are what runs, the config what is saved.
void note_corrections(Report& report, const Subject& subject,
                      const std::vector<ConfigCorrection>& corrections) {
  if (corrections.empty()) return;
  const bool said = std::ranges::any_of(report.findings, [&](const Finding& finding) {
    return finding.cause == "config.changed" && finding.subjects == std::vector{subject.label};
  });
  if (said) return;
  Finding finding{.cause = "config.changed",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {subject.label}};
  finding.summary = fmt::format("the config in {} is not what its modules compute", subject.label);
  Json fields = Json::object();
  for (const ConfigCorrection& each : corrections) {
    finding.details.push_back(fmt::format("{}: {} in the config, {} in all modules", each.field,
                                          short_json(each.config), short_json(each.modules)));
    fields[each.field] = Json::array({each.config, each.modules});
  }
  finding.details.emplace_back(
      "the modules are what counts here; save_pretrained would write the config, and what loads "
      "that is another model");
  finding.evidence = {{"fields", std::move(fields)}};
  finding.remedy = "Make the config say what the modules do before saving";
  add_finding(report, std::move(finding));
}

/// That the class around the known model is one of transformers, whose code stands in no file.
bool is_owner_of_library(const Checkpoint& checkpoint, const ModuleDeviation& deviation) {
  if (!deviation.module.empty() || !deviation.attribute.empty()) return false;
  return std::ranges::any_of(checkpoint.modules, [&](const ModuleRecord& module) {
    return module.path.empty() && module.class_path.starts_with("transformers.") &&
           deviation.found == module.class_path;
  });
}

void add_deviations(Report& report, const Subject& a, const Subject& b, const Subject& owner,
                    const std::vector<ModuleDeviation>& deviations, const char* cause,
                    const char* summary, const char* remedy) {
  if (deviations.empty()) return;
  Finding finding{.cause = cause,
                  .role = Role::contributes,
                  .proof = Proof::observed,
                  .subjects = {a.label, b.label}};
  finding.summary = fmt::format(fmt::runtime(summary), owner.label);
  Json fields = Json::object();
  for (const ModuleDeviation& each : deviations) {
    const std::string place = each.module.empty() ? "the root" : each.module;
    if (finding.details.size() < 6) finding.details.push_back(place + ": " + each.what);
    fields[each.attribute.empty() ? place : place + "." + each.attribute] =
        owner.label == a.label ? Json::array({each.found, each.expected})
                               : Json::array({each.expected, each.found});
  }
  finding.evidence = {{"fields", std::move(fields)}};
  finding.remedy = remedy;
  add_finding(report, std::move(finding));
}

bool is_hook(const ModuleDeviation& deviation) { return deviation.expected == Json(0); }

}  // namespace

void note_wrapper(Report& report, const Subject& subject) {
  if (!subject.checkpoint) return;
  const std::string wrapper =
      module_config(*subject.checkpoint, subject.checkpoint->config).wrapper;
  if (!wrapper.empty())
    report.assumed.push_back(
        fmt::format("{}: {} gives what the model in it gives; its own code is not known",
                    subject.label, wrapper.substr(wrapper.rfind('.') + 1)));
}

void note_foreign_class(Report& report, const Subject& subject) {
  if (!report.ran || !has_weights(subject)) return;
  if (std::string text = taken_as_built(*subject.checkpoint, config_used(report, subject));
      !text.empty())
    report.assumed.push_back(fmt::format("{}: {}", subject.label, text));
  const std::string own = foreign_class(*subject.checkpoint);
  if (own.empty() || !recognize_vit(*subject.checkpoint, config_used(report, subject))) return;
  report.assumed.push_back(fmt::format("{}: {}", subject.label, foreign_class_text(own)));
}

void find_module_changes(Report& report, const Subject& a, const Subject& b) {
  const ModuleConfig left = module_config(*a.checkpoint, a.checkpoint->config);
  const ModuleConfig right = module_config(*b.checkpoint, b.checkpoint->config);
  for (const auto& [subject, modules] : {std::pair(&a, &left), std::pair(&b, &right)})
    note_corrections(report, *subject, modules->corrections);
  if (left.deviations == right.deviations) return;
  for (const auto& [subject, own, other] :
       {std::tuple(&a, &left, &right), std::tuple(&b, &right, &left)}) {
    std::vector<ModuleDeviation> attributes;
    std::vector<ModuleDeviation> code;
    const bool other_has_modules = !(subject == &a ? b : a).checkpoint->modules.empty();
    for (const ModuleDeviation& each : own->deviations) {
      // The library's class, which the other side loads into: no evidence against it.
      if (!other_has_modules && is_owner_of_library(*subject->checkpoint, each)) continue;
      if (std::ranges::find(other->deviations, each) != other->deviations.end()) continue;
      (each.attribute.empty() ? code : attributes).push_back(each);
    }
    add_deviations(report, a, b, *subject, attributes, "config.changed",
                   "modules of {} compute something else than its config says",
                   "Build the model again from the config that was meant, and load the weights "
                   "into it");
    add_deviations(report, a, b, *subject, code, "code.version",
                   "{} holds hooks, functions or classes whose effect on the outputs is not known",
                   std::ranges::any_of(code, is_hook)
                       ? "Remove the hooks, or compare the models in memory with them"
                       : "Build both models by the same code, and load the weights into them");
  }
}

void find_unlike_config(Report& report, const Subject& a, const Subject& b) {
  const bool of_a = a.checkpoint->config.is_object();
  if (of_a == b.checkpoint->config.is_object()) return;
  const Subject& owner = of_a ? a : b;
  const Subject& other = of_a ? b : a;
  const ModuleConfig modules = module_config(*other.checkpoint, owner.checkpoint->config);
  Json fields = Json::object();
  Finding finding{.cause = "config.changed",
                  .role = Role::cause,
                  .proof = Proof::observed,
                  .subjects = {a.label, b.label}};
  const auto add = [&](const std::string& field, const Json& config, const Json& found) {
    fields[field] = of_a ? Json::array({config, found}) : Json::array({found, config});
    if (finding.details.size() < 6)
      finding.details.push_back(fmt::format("{}: {} in the config of {}, {} in the modules of {}",
                                            field, config.dump(), owner.label, found.dump(),
                                            other.label));
  };
  for (const ConfigCorrection& each : modules.corrections)
    add(each.field, each.config, each.modules);
  for (const ModuleDeviation& each : modules.deviations)
    add(each.module + "." + each.attribute, each.expected, each.found);
  if (fields.empty()) return;
  finding.summary =
      fmt::format("the modules of {} compute something else than the config of {} says",
                  other.label, owner.label);
  finding.evidence = {{"fields", std::move(fields)}};
  finding.remedy = fmt::format(
      "Set in the config of {} what the modules of {} have, if the "
      "weights were trained with it",
      owner.label, other.label);
  add_finding(report, std::move(finding));
}

void find_implied_eps(Report& report, const Subject& subject) {
  if (subject.config_borrowed_from.empty() || !subject.checkpoint->modules.empty()) return;
  const Json& config = config_used(report, subject);
  if (!config.is_object() || !config.contains("layer_norm_eps")) return;
  const Json& eps = config["layer_norm_eps"];
  if (!eps.is_number()) return;
  const auto found = recognize_vit(*subject.checkpoint, config);
  if (!found) return;
  const std::optional<double> implied = model::implied_eps(found->library);
  if (!implied || eps.get<double>() == *implied || found->by_rules) return;
  const std::string_view library = model::library_name(found->library);
  Finding finding{.cause = "config.changed",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {subject.label}};
  finding.summary = fmt::format(
      "{} has the names of {}, whose class computes with eps {}; the config from {} says {}",
      subject.label, library, Json(*implied).dump(), subject.config_borrowed_from, eps.dump());
  finding.details.push_back(fmt::format("{} is run with {} here, and by {} with {}", subject.label,
                                        eps.dump(), library, Json(*implied).dump()));
  finding.evidence = {{"fields", {{"layer_norm_eps", Json::array({eps, *implied})}}}};
  finding.remedy = fmt::format(
      "Set layer_norm_eps to {} in the config, if the weights were trained "
      "with {}",
      Json(*implied).dump(), library);
  add_finding(report, std::move(finding));
}

}  // namespace samebits
