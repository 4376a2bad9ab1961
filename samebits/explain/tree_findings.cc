#include "samebits/explain/tree_findings.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include <fmt/format.h>

#include "samebits/compare/modules.h"
#include "samebits/explain/library_findings.h"
#include "samebits/explain/script_findings.h"
#include "samebits/explain/subjects.h"
#include "samebits/run/module_config.h"

namespace samebits {
namespace {

using Differences = std::vector<const ModuleDifference*>;

NamePairs tensor_names(const Report& report, const Subject& a, const Subject& b) {
  NamePairs names;
  const WeightPair* pair = weights_of(report, a, b);
  if (pair == nullptr) return names;
  for (const TensorMatch& match : pair->comparison.matches) {
    if (match.a.size() == 1 && match.b.size() == 1)
      names.emplace_back(weight_name(a, match.a[0]), weight_name(b, match.b[0]));
  }
  return names;
}

/// What tells versions of transformers apart: what each of its classes keeps for itself. Pickles
/// do not say which version wrote them.
using LibraryTraits = std::map<std::string, std::set<std::string>>;

LibraryTraits traits_of_library(const Subject& subject) {
  LibraryTraits traits;
  for (const ModuleRecord& module : subject.checkpoint->modules) {
    if (!module.class_path.starts_with("transformers.")) continue;
    std::set<std::string>& own = traits[module.class_path];
    for (const auto& [name, value] : module.attributes.items()) {
      const bool kept = name.starts_with('_') && !name.starts_with("_forward") &&
                        is_unlisted_private(attribute_row(module.class_path, name), name);
      if (kept || name == "kernel_config") own.insert(name);
    }
  }
  return traits;
}

/// Models of one class that keep the same are of one version, whatever parts they were given.
bool have_one_library(const Subject& a, const Subject& b) {
  const LibraryTraits left = traits_of_library(a);
  const LibraryTraits right = traits_of_library(b);
  bool found = false;
  for (const auto& [name, traits] : left) {
    const auto other = right.find(name);
    if (other == right.end() || (traits.empty() && other->second.empty())) continue;
    if (traits != other->second) return false;
    found = true;
  }
  return found || left == right;
}

/// What module_findings.h says of classes that the engine knows.
bool is_said(const Report& report, const Subject& a, const Subject& b,
             const ModuleDifference& difference) {
  constexpr auto kCovered = std::to_array<std::string_view>({"",
                                                             "forward",
                                                             "_forward_hooks",
                                                             "_forward_pre_hooks",
                                                             "eps",
                                                             "act",
                                                             "activation_fn",
                                                             "intermediate_act_fn",
                                                             "activation",
                                                             "num_attention_heads",
                                                             "head_dim",
                                                             "attention_head_size",
                                                             "all_head_size",
                                                             "scaling",
                                                             "is_causal",
                                                             "stride",
                                                             "padding",
                                                             "dilation",
                                                             "negative_slope",
                                                             "approximate"});
  const bool family = !family_class(*a.checkpoint).empty() && !family_class(*b.checkpoint).empty();
  if (!family || std::ranges::find(kCovered, difference.attribute) == kCovered.end()) return false;
  return std::ranges::any_of(report.findings, [&](const Finding& finding) {
    return (finding.cause == "config.changed" || finding.cause == "code.version") &&
           (finding.role == Role::cause || finding.role == Role::contributes) &&
           finding.subjects == std::vector{a.label, b.label};
  });
}

std::string place_of(const ModuleDifference& difference) {
  if (difference.attribute.empty()) return difference.place.empty() ? "the root" : difference.place;
  return difference.place.empty() ? difference.attribute
                                  : difference.place + "." + difference.attribute;
}

std::string sides_of(const ModuleDifference& difference) {
  const auto shown = [](const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
  };
  const bool only_a = difference.b.is_null() && !difference.a.is_null();
  const bool only_b = difference.a.is_null() && !difference.b.is_null();
  return fmt::format("{} against {}", only_b ? "absent" : shown(difference.a),
                     only_a ? "absent" : shown(difference.b));
}

/// One line for all modules of which the same is to be said.
struct NamedGroup {
  const ModuleDifference* first;
  std::size_t count = 0;
};

std::vector<NamedGroup> grouped(const Differences& differences) {
  std::vector<NamedGroup> groups;
  for (const ModuleDifference* each : differences) {
    const auto same = std::ranges::find_if(groups, [&](const NamedGroup& group) {
      const ModuleDifference& first = *group.first;
      return first.class_path == each->class_path && first.attribute == each->attribute &&
             first.a == each->a && first.b == each->b && first.why == each->why;
    });
    if (same != groups.end()) {
      ++same->count;
    } else if (groups.size() < 100) {
      groups.push_back({each, 1});
    }
  }
  return groups;
}

std::string line_of(const NamedGroup& group) {
  const ModuleDifference& first = *group.first;
  std::string text = place_of(first);
  if (!first.attribute.empty())
    text += fmt::format(" ({})", first.class_path.substr(first.class_path.rfind('.') + 1));
  if (group.count > 1) text += fmt::format(" and {} more", group.count - 1);
  text += ": " + sides_of(first);
  return first.why.empty() ? text : text + ", " + first.why;
}

void add_differences(Report& report, const Subject& a, const Subject& b, const Differences& which,
                     const char* cause, Role role, const std::string& summary, const char* remedy) {
  if (which.empty()) return;
  const bool by_name = which[0]->by_name && role == Role::note;
  Finding finding{.cause = cause,
                  .role = role,
                  .proof = by_name ? Proof::suspected : Proof::observed,
                  .subjects = {a.label, b.label}};
  finding.summary = summary;
  if (by_name) finding.settle = "Look whether the forward pass of its class reads it";
  for (const NamedGroup& group : grouped(which)) {
    if (finding.details.size() < 6) finding.details.push_back(line_of(group));
  }
  Json fields = Json::object();
  for (const ModuleDifference* each : which) {
    if (fields.size() < 100) fields[place_of(*each)] = Json::array({each->a, each->b});
  }
  finding.evidence = {{"fields", std::move(fields)}};
  finding.remedy = remedy;
  add_finding(report, std::move(finding));
}

/// "eps of 25 modules differs".
std::string counted_attributes(const Differences& which) {
  const std::vector<NamedGroup> groups = grouped(which);
  if (groups.size() == 1 && groups[0].count == 1)
    return place_of(*groups[0].first) + " differs between the modules";
  const bool one = std::ranges::all_of(
      which, [&](const ModuleDifference* each) { return each->attribute == which[0]->attribute; });
  return one ? fmt::format("{} of {} differs", which[0]->attribute, counted(which.size(), "module"))
             : fmt::format("{} of modules differ", counted(which.size(), "attribute"));
}

/// Parameters of two modules that train in one and are frozen in the other: no output follows it.
void note_frozen(Report& report, const Subject& a, const Subject& b) {
  const auto entry = [](const Subject& subject, std::uint32_t index) -> const StoredTensor* {
    const Candidate& weights = subject.checkpoint->weights();
    return index < weights.weights.size() ? &subject.checkpoint->entries[weights.weights[index]]
                                          : nullptr;
  };
  const WeightPair* pair = weights_of(report, a, b);
  if (pair == nullptr) return;
  Json fields = Json::object();
  std::size_t count = 0;
  for (const TensorMatch& match : pair->comparison.matches) {
    if (match.a.size() != 1 || match.b.size() != 1) continue;
    const StoredTensor* left = entry(a, match.a[0]);
    const StoredTensor* right = entry(b, match.b[0]);
    if (left == nullptr || right == nullptr || left->role != TensorRole::parameter ||
        right->role != TensorRole::parameter || left->requires_grad == right->requires_grad)
      continue;
    ++count;
    if (fields.size() < 100)
      fields[left->name + ".requires_grad"] =
          Json::array({left->requires_grad, right->requires_grad});
  }
  if (count == 0) return;
  Finding finding{.cause = "config.changed",
                  .role = Role::note,
                  .proof = Proof::observed,
                  .subjects = {a.label, b.label}};
  finding.summary =
      fmt::format("{} in one of the two and {} frozen in the other",
                  counted(count, "parameter", "trains", "train"), count == 1 ? "is" : "are");
  finding.evidence = {{"fields", std::move(fields)}};
  add_finding(report, std::move(finding));
}

void leave_open(Report& report, const Subject& a, const Subject& b, const Differences& which) {
  constexpr std::size_t kMostLines = 12;
  const std::vector<NamedGroup> groups = grouped(which);
  for (std::size_t i = 0; i < std::min(groups.size(), kMostLines); ++i) {
    const ModuleDifference& first = *groups[i].first;
    const char* what = !first.comparable         ? "could not be compared"
                       : first.attribute.empty() ? "differs, and what its code does is not known"
                                                 : "differs, and what its class does with it is "
                                                   "not known";
    add_gap(report,
            fmt::format("the {} {} of {} and {} {}: {}",
                        first.attribute.empty() ? "module" : "attribute", place_of(first), a.label,
                        b.label, what, line_of(groups[i])),
            Gap::open);
  }
  if (groups.size() > kMostLines)
    add_gap(report, fmt::format("{} more attributes of modules differ", groups.size() - kMostLines),
            Gap::open);
}

}  // namespace

void find_tree_changes(Report& report, const Subject& a, const Subject& b) {
  if (a.checkpoint->modules.empty() || b.checkpoint->modules.empty()) return;
  if (find_library_changes(report, a, b)) return;
  std::vector<ModuleDifference> all = compare_modules(
      *a.checkpoint, *b.checkpoint, tensor_names(report, a, b), have_one_library(a, b));
  settle_script_attributes(a, b, &all);
  Differences numbers, code, harmless, named, open;
  for (const ModuleDifference& each : all) {
    if (is_said(report, a, b, each)) continue;
    const bool still = each.effect == AttributeEffect::nothing ||
                       each.effect == AttributeEffect::training ||
                       each.effect == AttributeEffect::learning;
    Differences& place = still && each.by_name                     ? named
                         : still                                   ? harmless
                         : !each.comparable                        ? open
                         : each.effect == AttributeEffect::unknown ? open
                         : each.is_code                            ? code
                                                                   : numbers;
    place.push_back(&each);
  }
  add_differences(
      report, a, b, numbers, "config.changed", Role::cause,
      numbers.empty() ? "" : counted_attributes(numbers) + ", and outputs depend on it",
      "Build both models with the values that were meant, and load the weights into them");
  add_differences(report, a, b, code, "code.version", Role::cause,
                  "the modules are not built of the same classes, functions and hooks",
                  "Build both models by the same code, and load the weights into them");
  add_differences(report, a, b, harmless, "config.changed", Role::note,
                  harmless.empty() ? ""
                                   : counted_attributes(harmless) +
                                         ", which no output in eval mode "
                                         "follows",
                  "");
  add_differences(report, a, b, named, "config.changed", Role::note,
                  named.empty() ? ""
                                : counted_attributes(named) +
                                      ", and the name is that of a counter, a run or the like: "
                                      "the code of the class is not known",
                  "");
  leave_open(report, a, b, open);
  note_frozen(report, a, b);
}

}  // namespace samebits
