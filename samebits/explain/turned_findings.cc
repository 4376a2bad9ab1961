#include "samebits/explain/turned_findings.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "samebits/compare/turned_matrix.h"
#include "samebits/explain/subjects.h"
#include "samebits/explain/weight_findings.h"

namespace samebits {

std::vector<std::string> turned_matrices(const Report& report, const WeightPair& pair) {
  constexpr std::size_t kMostTried = 16;
  constexpr double kOneNorm = 2e-3;
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  std::vector<std::string> turned;
  std::size_t tried = 0;
  for (const TensorMatch& match : pair.comparison.matches) {
    const bool may_be = match.kind == MatchKind::changed && match.a.size() == 1 &&
                        match.b.size() == 1 && match.stats &&
                        std::abs(match.stats->cosine) < kUnlikeCosine &&
                        std::abs(match.stats->norm_ratio - 1) < kOneNorm;
    if (!may_be || ++tried > kMostTried) continue;
    const StoredTensor& left = weight_entry(a, match.a[0]);
    const StoredTensor& right = weight_entry(b, match.b[0]);
    if (turned_matrix(left.view, right.view) != Turned::no)
      turned.push_back(weight_name(a, match.a[0]));
  }
  return turned;
}

void add_turned(const std::vector<std::string>& turned, Finding* finding) {
  if (turned.empty()) return;
  finding->details.push_back(fmt::format(
      "{} the length of every row or column ({}): as where hidden states are turned by an "
      "orthogonal matrix, which changes outputs by rounding alone if all weights are turned along",
      turned.size() == 1 ? "1 matrix that differs throughout keeps"
                         : fmt::format("{} matrices that differ throughout keep", turned.size()),
      some_of(turned)));
  finding->evidence["turned"] = name_list(turned);
  finding->remedy =
      "If one was made from the other so (QuaRot, SliceGPT), compare outputs, not weights: "
      "samebits.explain_live in Python runs both; otherwise take one of the two on both sides";
}

bool says_turned(const Report& report, const std::string& a, const std::string& b) {
  return std::ranges::any_of(report.findings, [&](const Finding& finding) {
    return finding.evidence.contains("turned") && finding.subjects == std::vector{a, b};
  });
}

}  // namespace samebits
