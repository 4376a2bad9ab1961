#include "samebits/explain/coarse_findings.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "samebits/compare/coarse_values.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

/// A changed weight, and the grid that it was rounded to.
struct Changed {
  const std::string* name;  // A's
  const TensorView* fine;
  const TensorView* coarse;
  bool is_changed;  // and not known to be rounded to a type
  std::optional<CoarseGrid> grid{};
};

/// Rounding leaves most of a tensor as it was. What fits a narrower type may have been rounded with
/// the others to as many bits.
bool may_be_rounded(const TensorMatch& match) {
  constexpr double kMost = 0.5;  // of the norm, by nf4 and 4 bits about 0.1
  const bool is_one = match.a.size() == 1 && match.b.size() == 1;
  return is_one && match.stats && match.stats->relative_norm < kMost &&
         (match.kind == MatchKind::changed || match.kind == MatchKind::rounded);
}

std::vector<Changed> changed_weights(const Subject& a, const Subject& b, const WeightPair& pair,
                                     bool coarse_is_a, const std::set<std::string>& explained) {
  std::vector<Changed> changed;
  for (const TensorMatch& match : pair.comparison.matches) {
    if (!may_be_rounded(match) || explained.contains(weight_name(a, match.a[0]))) continue;
    const TensorView* of_a = &weight_entry(a, match.a[0]).view;
    const TensorView* of_b = &weight_entry(b, match.b[0]).view;
    changed.push_back({&weight_name(a, match.a[0]), coarse_is_a ? of_b : of_a,
                       coarse_is_a ? of_a : of_b, match.kind == MatchKind::changed});
  }
  return changed;
}

/// The grids that were found, each once, with how many weights lie on it.
using Grids = std::vector<std::pair<CoarseGrid, std::size_t>>;

Grids find_grids(std::vector<Changed>* changed) {
  Grids grids;
  const auto count = [&](const CoarseGrid& grid) {
    const auto known = std::ranges::find(grids, grid, &Grids::value_type::first);
    if (known == grids.end()) {
      grids.emplace_back(grid, 1);
    } else {
      ++known->second;
    }
  };
  for (Changed& each : *changed) {
    if (each.is_changed) each.grid = coarse_grid(*each.fine, *each.coarse);
    if (each.grid) count(*each.grid);
  }
  for (Changed& each : *changed) {
    for (std::size_t i = 0; i < grids.size() && !each.grid; ++i) {
      if (!follows_grid(*each.fine, *each.coarse, grids[i].first)) continue;
      each.grid = grids[i].first;
      ++grids[i].second;
    }
  }
  return grids;
}

const char* kind_name(CoarseGrid::Kind kind) {
  switch (kind) {
    case CoarseGrid::Kind::mantissa: return "mantissa";
    case CoarseGrid::Kind::decimals: return "decimals";
    case CoarseGrid::Kind::twice: return "two types";
    case CoarseGrid::Kind::apart: return "two types apart";
    case CoarseGrid::Kind::levels: break;
  }
  return "levels";
}

std::string remedy_of(const CoarseGrid& grid, const std::string& fine) {
  if (grid.kind == CoarseGrid::Kind::levels)
    return fmt::format(
        "Take {} where the values before quantization are meant, or quantize it in the same way; "
        "what was rounded off stands in no file but {}'s",
        fine, fine);
  if (grid.kind == CoarseGrid::Kind::apart)
    return "Round the wider file, from which both were made, to one type for both: what one lacks "
           "stands in the other only in part";
  return fmt::format("Take {}, or save again from it without rounding", fine);
}

void add_coarse(Report& report, const WeightPair& pair, bool coarse_is_a, const Grids& grids,
                const std::vector<std::string>& names, std::size_t others) {
  const std::string& coarse = coarse_is_a ? pair.a : pair.b;
  const std::string& fine = coarse_is_a ? pair.b : pair.a;
  const CoarseGrid& first = grids[0].first;
  Finding finding{.cause = "weights.rounded",
                  .role = Role::cause,
                  .proof = Proof::observed,
                  .subjects = {pair.a, pair.b}};
  const bool all = names.size() == pair.comparison.matched;
  if (first.kind == CoarseGrid::Kind::apart)
    finding.summary = fmt::format(
        "{} and {} hold {} of one model, rounded to float16 on one side and to bfloat16 on the "
        "other",
        pair.a, pair.b, all ? "the weights" : fmt::format("{} weights", names.size()));
  else
    finding.summary = fmt::format("{} holds {} {} to {}", coarse,
                                  all ? fine + "'s weights"
                                      : fmt::format("{} of {}'s {}", names.size(), fine,
                                                    counted(pair.comparison.matched, "weight")),
                                  first.cut ? "cut" : "rounded", grid_text(first));
  if (others > 0)
    finding.summary += fmt::format("; {} other values", counted(others, "other", "has", "have"));
  for (const auto& [grid, count] : grids)
    if (grids.size() > 1)
      finding.details.push_back(fmt::format("{} to {}", counted(count, "weight"), grid_text(grid)));
  finding.details.push_back(
      first.cut ? fmt::format("each number in {} is {}'s with its last bits set to 0", coarse, fine)
      : first.kind == CoarseGrid::Kind::apart
          ? "some number rounds to both, for each of their elements"
      : first.kind == CoarseGrid::Kind::twice
          ? fmt::format("computed of each number in {}: rounded so it is {}'s, bit for bit", fine,
                        coarse)
          : fmt::format("each number in {} is the nearest of these to {}'s", coarse, fine));
  if (first.kind == CoarseGrid::Kind::levels)
    finding.details.push_back("as where weights were quantized and written back as floats");
  finding.evidence = {{"count", names.size()},
                      {"tensors", name_list(names)},
                      {"grid", kind_name(first.kind)},
                      {"side", coarse}};
  if (first.kind != CoarseGrid::Kind::levels) finding.evidence["digits"] = first.number;
  finding.remedy = remedy_of(first, fine);
  add_finding(report, std::move(finding));
}

}  // namespace

std::set<std::string> find_coarse(Report& report, const WeightPair& pair,
                                  const std::set<std::string>& explained) {
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  for (const bool coarse_is_a : {false, true}) {
    std::vector<Changed> changed = changed_weights(a, b, pair, coarse_is_a, explained);
    Grids grids = find_grids(&changed);
    if (grids.empty()) continue;
    std::ranges::stable_sort(grids, std::greater{}, &Grids::value_type::second);
    std::vector<std::string> names;
    std::size_t others = 0;  // that changed otherwise
    for (const Changed& each : changed) {
      if (each.grid) names.push_back(*each.name);
      others += !each.grid && each.is_changed ? 1 : 0;
    }
    // One of many changed weights may lie on a grid by chance.
    if (names.size() < others) continue;
    add_coarse(report, pair, coarse_is_a, grids, names, others);
    return {names.begin(), names.end()};
  }
  return {};
}

}  // namespace samebits
