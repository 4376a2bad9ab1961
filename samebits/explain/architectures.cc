#include "samebits/explain/architectures.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>

#include "samebits/compare/constant_tensor.h"
#include "samebits/compare/name_pieces.h"
#include "samebits/explain/weight_findings.h"
#include "samebits/family/classes.h"

namespace samebits {
namespace {

/// Sizes of the tensors of two and more dimensions, of which no renaming changes any; `around`: of
/// those outside of numbered blocks, which are alike in most architectures.
std::map<std::uint64_t, std::size_t> matrix_sizes(const Subject& subject, bool around) {
  std::map<std::uint64_t, std::size_t> sizes;
  for (const std::uint32_t index : subject.checkpoint->weights().weights) {
    const StoredTensor& tensor = subject.checkpoint->entries[index];
    const TensorView& view = tensor.view;
    if (around && !name_numbers(tensor.name).empty()) continue;
    if (view.shape().size() > 1 && view.numel() > 1) ++sizes[view.numel()];
  }
  return sizes;
}

/// Of the side that has fewer matrices more than a quarter have none of their size on the other.
bool sizes_are_unlike(const Subject& a, const Subject& b, bool around) {
  const auto left = matrix_sizes(a, around);
  const auto right = matrix_sizes(b, around);
  std::size_t all_left = 0;
  std::size_t all_right = 0;
  std::size_t shared = 0;
  for (const auto& [size, count] : left) {
    all_left += count;
    if (const auto at = right.find(size); at != right.end()) shared += std::min(count, at->second);
  }
  for (const auto& [size, count] : right) all_right += count;
  return all_left > 1 && all_right > 1 && shared * 4 < 3 * std::min(all_left, all_right);
}

/// Matches by alike names alone, of two model types that no name table relates, or of none: no part
/// but the first may be another.
std::size_t matched_by_guess(const Subject& a, const Subject& b,
                             const WeightComparison& comparison) {
  const std::string& left = a.checkpoint->model_type;
  const std::string& right = b.checkpoint->model_type;
  const bool of_family = model::find_model_type(left) && model::find_model_type(right);
  if (left.empty() != right.empty() || (left == right && !left.empty()) || of_family) return 0;
  const auto below = [](const std::string& name) { return name.substr(name.find('.') + 1); };
  std::size_t guessed = 0;
  for (const TensorMatch& match : comparison.matches) {
    if (match.a.size() != 1 || match.b.size() != 1) continue;
    const TensorView& view = weight_entry(a, match.a[0]).view;
    const bool is_matrix = view.shape().size() > 1 && view.numel() > 1;
    // Norms are alike in all models: near one.
    if (match.kind == MatchKind::changed && is_matrix && match.stats &&
        std::abs(match.stats->cosine) >= kUnlikeCosine)
      return 0;
    guessed += below(weight_name(a, match.a[0])) == below(weight_name(b, match.b[0])) ? 0 : 1;
  }
  return guessed;
}

}  // namespace

std::string unlike_architectures(const Report& report, const WeightPair& pair) {
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  const WeightComparison& comparison = pair.comparison;
  for (const TensorMatch& match : comparison.matches) {
    const bool shows_kinship = match.kind != MatchKind::changed && !match.a.empty() &&
                               !is_constant(weight_entry(a, match.a[0]).view);
    if (shows_kinship) return "";
  }
  const std::size_t all =
      a.checkpoint->weights().weights.size() + b.checkpoint->weights().weights.size();
  const std::size_t alone =
      comparison.only_a.size() + comparison.only_b.size() + 2 * matched_by_guess(a, b, comparison);
  if (comparison.only_a.empty() || comparison.only_b.empty() || alone * 2 < all) return "";
  const std::string& left = a.checkpoint->model_type;
  const std::string& right = b.checkpoint->model_type;
  if (!left.empty() && !right.empty()) return left == right ? "" : left + " and " + right;
  return sizes_are_unlike(a, b, false) || sizes_are_unlike(a, b, true) ? "of unlike shapes" : "";
}

bool are_two_architectures(const Report& report, const Subject& a, const Subject& b) {
  return std::ranges::any_of(report.findings, [&](const Finding& finding) {
    return finding.evidence.contains("architectures") &&
           finding.subjects == std::vector<std::string>{a.label, b.label};
  });
}

}  // namespace samebits
