#include "samebits/explain/misspelt_findings.h"

#include <algorithm>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "samebits/compare/module_partners.h"
#include "samebits/compare/name_pieces.h"
#include "samebits/compare/reparametrized.h"

namespace samebits {
namespace {

/// The names of one pair without the prefix that one side has.
struct PlainNames {
  std::string a, b;
};

PlainNames plain_names(const WeightComparison& comparison, std::string a, std::string b) {
  for (const RenameRule& rule : comparison.rules) {
    if (rule.from.empty() && b.starts_with(rule.to)) b.erase(0, rule.to.size());
    if (rule.to.empty() && a.starts_with(rule.from)) a.erase(0, rule.from.size());
  }
  return {std::move(a), std::move(b)};
}

/// Names with "{n}" for their numbers that a weight of some block has on both sides.
std::set<std::string> names_of_blocks(const Subject& a, const Subject& b,
                                      const WeightComparison& comparison) {
  std::set<std::string> kept;
  for (const TensorMatch& match : comparison.matches) {
    if (match.a.size() != 1 || match.b.size() != 1) continue;
    const PlainNames names =
        plain_names(comparison, weight_name(a, match.a[0]), weight_name(b, match.b[0]));
    if (names.a == names.b && !name_numbers(names.a).empty()) kept.insert(template_of(names.a));
  }
  return kept;
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

std::string misspelt_summary(const std::string& first, const std::string& label, std::size_t count,
                             bool in_module, bool in_blocks) {
  const char* who = in_module && in_blocks
                        ? "what stands beside them or in other blocks keeps its name"
                    : in_blocks  ? "the same weights of other blocks keep their names"
                    : count == 1 ? "what stands beside it keeps its name"
                                 : "what stands beside them keeps its name";
  if (count == 1) return fmt::format("{} in {}, while {}", first, label, who);
  return fmt::format("{} weights have other names in {} ({}), while {}", count, label, first, who);
}

}  // namespace

void find_misspelt(Report& report, const WeightPair& pair) {
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  const WeightComparison& comparison = pair.comparison;
  const auto kept = kept_modules(a, b, comparison);
  const auto kept_of_blocks = names_of_blocks(a, b, comparison);
  Json names = Json::array();
  std::string first;
  bool in_module = false;
  bool in_blocks = false;
  for (const TensorMatch& match : comparison.matches) {
    if (match.a.size() != 1 || match.b.size() != 1) continue;
    const std::string& x = weight_name(a, match.a[0]);
    const std::string& y = weight_name(b, match.b[0]);
    if (x == y || is_factor_name(x) || is_factor_name(y)) continue;
    const PlainNames plain = plain_names(comparison, x, y);
    const bool of_blocks = plain.a != plain.b && template_of(plain.a) != template_of(plain.b) &&
                           (kept_of_blocks.contains(template_of(plain.a)) ||
                            kept_of_blocks.contains(template_of(plain.b)));
    const bool beside = !module_around(x).empty() &&
                        (kept.contains(module_around(x)) || kept.contains(module_around(y))) &&
                        is_lone(comparison, x, y);
    if (!beside && !of_blocks) continue;
    (beside ? in_module : in_blocks) = true;
    if (names.empty()) first = fmt::format("{} is {}", x, y);
    names.push_back(y);
  }
  if (names.empty()) return;
  Finding finding;
  finding.cause = "weights.renamed";
  finding.role = Role::risk;
  finding.proof = Proof::observed;
  finding.subjects = {pair.a, pair.b};
  finding.summary = misspelt_summary(first, pair.b, names.size(), in_module, in_blocks);
  finding.details.push_back(
      names.size() == 1
          ? "a loader that goes by names does not find it, unless it knows this renaming"
          : "a loader that goes by names does not find them, unless it knows these renamings");
  finding.remedy =
      fmt::format("Rename {} in the file, or load with strict=True, which names what is missing",
                  names.size() == 1 ? "it" : "them");
  finding.evidence = {
      {"count", names.size()}, {"rules", Json::array()}, {"tensors", std::move(names)}};
  add_finding(report, std::move(finding));
}

}  // namespace samebits
