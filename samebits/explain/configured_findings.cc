#include "samebits/explain/configured_findings.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/explain/configured_modules.h"
#include "samebits/explain/subjects.h"
#include "samebits/run/module_config.h"

namespace samebits {
namespace {

using Loose = std::vector<LooseAttribute>;

/// "layers.0.norm and 4 more: its eps is 0.1": modules of one fault together.
std::vector<std::string> lines_of(const Loose& loose) {
  std::vector<std::string> lines;
  std::vector<std::string> said;
  for (const LooseAttribute& each : loose) {
    if (std::ranges::find(said, each.what) != said.end()) continue;
    said.push_back(each.what);
    std::vector<std::string> modules;
    for (const LooseAttribute& other : loose)
      if (other.what == each.what)
        modules.push_back(other.module.empty() ? "the root" : other.module);
    lines.push_back(fmt::format(
        "{}{}: {}", modules[0],
        modules.size() == 1 ? "" : fmt::format(" and {} more", modules.size() - 1), each.what));
  }
  return lines;
}

void add_loose(Report& report, const Subject& a, const Subject& b, const Subject& owner,
               const Loose& loose, bool hooks) {
  if (loose.empty()) return;
  Finding finding{.cause = hooks ? "code.version" : "config.changed",
                  .role = Role::contributes,
                  .proof = Proof::observed,
                  .subjects = {a.label, b.label}};
  finding.summary =
      hooks ? fmt::format("{} holds hooks, whose effect on the outputs is not known", owner.label)
            : fmt::format("modules of {} compute something else than its config says", owner.label);
  finding.details = lines_of(loose);
  Json fields = Json::object();
  for (const LooseAttribute& each : loose) {
    const std::string place = each.module.empty() ? "the root" : each.module;
    const std::string name = each.attribute.empty() ? place : place + "." + each.attribute;
    fields[name] = owner.label == a.label ? Json::array({each.found, Json()})
                                          : Json::array({Json(), each.found});
  }
  finding.evidence = {{"fields", std::move(fields)}};
  finding.remedy = hooks ? "Remove the hooks, or compare the models in memory with them"
                         : "Build the model again from the config that was meant, and load the "
                           "weights into it";
  add_finding(report, std::move(finding));
}

void add_untold(Report& report, const Subject& owner, const Loose& loose) {
  if (loose.empty()) return;
  constexpr std::size_t kShown = 3;
  std::vector<std::string> lines = lines_of(loose);
  const std::size_t more = lines.size() > kShown ? lines.size() - kShown : 0;
  lines.resize(lines.size() - more);
  add_gap(report,
          fmt::format("whether {} computes what its config says: {}{}", owner.label,
                      fmt::join(lines, "; "), more == 0 ? "" : fmt::format("; {} more", more)),
          Gap::blocking);
}

}  // namespace

void find_loose_modules(Report& report, const Subject& a, const Subject& b) {
  const bool in_a = !a.checkpoint->modules.empty();
  if (in_a == !b.checkpoint->modules.empty()) return;
  const Subject& owner = in_a ? a : b;
  const Subject& other = in_a ? b : a;
  if (owner.checkpoint->program || other.checkpoint->program) return;
  const bool own = owner.checkpoint->config.is_object();
  const Json& config = own ? owner.checkpoint->config : other.checkpoint->config;
  if (!other.checkpoint->config.is_object() || !family_class(*owner.checkpoint).empty()) return;
  const bool of_transformers = std::ranges::any_of(
      owner.checkpoint->modules,
      [](const ModuleRecord& module) { return module.class_path.starts_with("transformers."); });
  if (!own && !of_transformers) return;  // see find_unlike_config()
  Loose hooks;
  Loose contradicting;
  Loose untold;
  for (LooseAttribute& each : loose_attributes(*owner.checkpoint, config)) {
    const bool is_hook = each.attribute.empty() && each.found.is_number();
    (is_hook ? hooks : each.contradicts ? contradicting : untold).push_back(std::move(each));
  }
  add_loose(report, a, b, owner, hooks, true);
  add_loose(report, a, b, owner, contradicting, false);
  add_untold(report, owner, untold);
}

}  // namespace samebits
