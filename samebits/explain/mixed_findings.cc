#include "samebits/explain/mixed_findings.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "samebits/compare/mixture.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

/// A changed weight of A with its partners in the two other subjects.
struct Triple {
  std::string name;                        // A's
  std::array<const TensorView*, 3> views;  // of A, the pair's other side, the third
};

/// The other side's weight for each of A's that has one alone.
std::map<std::uint32_t, std::uint32_t> partners_of(const WeightPair& pair) {
  std::map<std::uint32_t, std::uint32_t> partners;
  for (const TensorMatch& match : pair.comparison.matches)
    if (match.a.size() == 1 && match.b.size() == 1) partners.emplace(match.a[0], match.b[0]);
  return partners;
}

/// Empty where a weight that changed has no partner in the third.
std::vector<Triple> triples_of(const Report& report, const WeightPair& pair,
                               const WeightPair& third) {
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  const Subject& c = subject_of(report, third.b);
  const auto partners = partners_of(third);
  std::vector<Triple> triples;
  for (const TensorMatch& match : pair.comparison.matches) {
    if (match.a.size() != 1 || match.b.size() != 1) continue;
    if (match.kind != MatchKind::changed) continue;
    const auto there = partners.find(match.a[0]);
    if (there == partners.end()) return {};
    Triple triple{.name = weight_name(a, match.a[0]),
                  .views = {&weight_entry(a, match.a[0]).view, &weight_entry(b, match.b[0]).view,
                            &weight_entry(c, there->second).view}};
    if (!can_mix(*triple.views[0], *triple.views[1], *triple.views[2])) return {};
    triples.push_back(std::move(triple));
  }
  return triples;
}

/// x = y + t (z - y) for all of them, by places in Triple::views; nothing where it is not so.
std::optional<double> mixed_by(const std::vector<Triple>& triples, std::array<std::size_t, 3> at) {
  constexpr std::uint64_t kGlance = 4096;  // elements of a tensor that tell most others at once
  const auto& [x, y, z] = at;
  const auto& first = triples[0].views;
  MixtureSums glance;
  add_mixture(*first[x], *first[y], *first[z], &glance, kGlance);
  if (!is_mixture(*first[x], *first[y], *first[z], glance.share(), kGlance)) return std::nullopt;
  MixtureSums sums;
  for (const Triple& each : triples)
    add_mixture(*each.views[x], *each.views[y], *each.views[z], &sums);
  const double t = sums.share();
  if (!std::isfinite(t) || t <= 0 || t >= 1) return std::nullopt;
  const bool fits = std::ranges::all_of(triples, [&](const Triple& each) {
    return is_mixture(*each.views[x], *each.views[y], *each.views[z], t);
  });
  return fits ? std::optional(t) : std::nullopt;
}

void add_mixed(Report& report, const WeightPair& pair, const std::vector<Triple>& triples,
               const std::array<std::string, 3>& labels, double t) {
  std::vector<std::string> names;
  for (const Triple& each : triples) names.push_back(each.name);
  Finding finding{.cause = "weights.averaged",
                  .role = Role::cause,
                  .proof = Proof::observed,
                  .subjects = {pair.a, pair.b}};
  finding.summary = fmt::format("{} of {} {} an average: {:.4g} times {}'s plus {:.4g} times {}'s",
                                counted(names.size(), "weight"), labels[0],
                                names.size() == 1 ? "is" : "are", 1 - t, labels[1], t, labels[2]);
  finding.details.emplace_back("computed for every number, and so but for rounding");
  finding.evidence = {{"count", names.size()},
                      {"tensors", name_list(names)},
                      {"key", nullptr},
                      {"chosen", nullptr},
                      {"shares", Json::array({1 - t, t})}};
  finding.remedy = "Take the same weights on both sides: the averaged ones, or those of one model";
  add_finding(report, std::move(finding));
}

}  // namespace

std::set<std::string> find_mixed(Report& report, const WeightPair& pair) {
  if (report.subjects.size() != 3 || says_equal(pair.comparison.verdict)) return {};
  const auto third = std::ranges::find_if(report.weights,
                                          [&](const WeightPair& each) { return each.b != pair.b; });
  if (third == report.weights.end() || pair.comparison.changed == 0) return {};
  const std::vector<Triple> triples = triples_of(report, pair, *third);
  if (triples.empty()) return {};
  const std::array<std::string, 3> labels = {pair.a, pair.b, third->b};
  // The average may be A, the other side of the pair, or the third.
  for (const auto& at : {std::array<std::size_t, 3>{1, 0, 2}, {0, 1, 2}, {2, 0, 1}}) {
    const auto t = mixed_by(triples, at);
    if (!t) continue;
    add_mixed(report, pair, triples, {labels[at[0]], labels[at[1]], labels[at[2]]}, *t);
    std::set<std::string> names;
    for (const Triple& each : triples) names.insert(each.name);
    return names;
  }
  return {};
}

}  // namespace samebits
