#include "samebits/explain/misspelt_findings.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "samebits/compare/module_partners.h"

namespace samebits {
namespace {

/// torch.nn.utils.weight_norm under its two names: another form of one module.
bool is_parametrized(std::string_view name) {
  constexpr auto kForms = std::to_array<std::string_view>({"weight_g", "weight_v", "original"});
  return std::ranges::any_of(
      kForms, [&](std::string_view form) { return name.find(form) != std::string_view::npos; });
}

/// The modules of A that hold a weight which B has by the same name.
std::set<std::string, std::less<>> kept_modules(const Subject& a, const Subject& b,
                                                const WeightComparison& comparison) {
  std::set<std::string, std::less<>> modules;
  for (const TensorMatch& match : comparison.matches) {
    if (match.a.size() != 1 || match.b.size() != 1) continue;
    const std::string& name = weight_name(a, match.a[0]);
    if (name == weight_name(b, match.b[0])) modules.emplace(module_around(name));
  }
  return modules;
}

bool is_lone(const WeightComparison& comparison, std::string_view x, std::string_view y) {
  const std::string_view of_x = module_around(x);
  const std::string_view of_y = module_around(y);
  // "dense.bias" as "dense.bais", or as "dnse.bias".
  const bool alike = of_x == of_y || x.substr(of_x.size()) == y.substr(of_y.size());
  return alike && std::ranges::any_of(comparison.rules, [&](const RenameRule& rule) {
           return rule.count == 1 && x.find(rule.from) != std::string_view::npos &&
                  y.find(rule.to) != std::string_view::npos;
         });
}

}  // namespace

void find_misspelt(Report& report, const WeightPair& pair) {
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  const WeightComparison& comparison = pair.comparison;
  const auto kept = kept_modules(a, b, comparison);
  Json names = Json::array();
  std::string first;
  for (const TensorMatch& match : comparison.matches) {
    if (match.a.size() != 1 || match.b.size() != 1) continue;
    const std::string& x = weight_name(a, match.a[0]);
    const std::string& y = weight_name(b, match.b[0]);
    const bool beside = kept.contains(module_around(x)) || kept.contains(module_around(y));
    if (x == y || !beside || module_around(x).empty() || is_parametrized(x) || is_parametrized(y) ||
        !is_lone(comparison, x, y))
      continue;
    if (names.empty()) first = fmt::format("{} is {} in {}", x, y, pair.b);
    names.push_back(y);
  }
  if (names.empty()) return;
  Finding finding;
  finding.cause = "weights.renamed";
  finding.role = Role::risk;
  finding.proof = Proof::observed;
  finding.subjects = {pair.a, pair.b};
  finding.summary =
      fmt::format("{}{}, while what stands beside it keeps its name", first,
                  names.size() == 1 ? "" : fmt::format(", and so are {} others", names.size() - 1));
  finding.details.push_back(
      "a loader that goes by names does not find it, unless it knows this renaming");
  finding.remedy = "Rename it in the file, or load with strict=True, which names what is missing";
  finding.evidence = {
      {"count", names.size()}, {"rules", Json::array()}, {"tensors", std::move(names)}};
  add_finding(report, std::move(finding));
}

}  // namespace samebits
