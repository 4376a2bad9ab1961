#include "samebits/explain/permuted_labels.h"

#include <vector>

#include "samebits/compare/permuted_rows.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

/// The names of the classes in the order of the rows; empty where one has none.
std::vector<std::string> labels_of(const Json& config) {
  std::vector<std::string> names;
  if (!config.is_object() || !config.contains("id2label")) return names;
  const Json& labels = config["id2label"];
  for (std::size_t i = 0; labels.is_object() && i < labels.size(); ++i) {
    const auto label = labels.find(std::to_string(i));
    if (label == labels.end() || !label->is_string()) return {};
    names.push_back(label->get<std::string>());
  }
  return names;
}

bool are_in_order(const std::vector<std::string>& a, const std::vector<std::string>& b,
                  const std::vector<std::size_t>& order) {
  if (order.size() != a.size()) return false;
  for (std::size_t i = 0; i < order.size(); ++i)
    if (b[i] != a[order[i]]) return false;
  return true;
}

}  // namespace

std::set<std::string> rows_with_their_labels(const Report& report, const WeightPair& pair) {
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  const std::vector<std::string> left = labels_of(a.checkpoint->config);
  const std::vector<std::string> right = labels_of(b.checkpoint->config);
  std::set<std::string> names;
  if (left.empty() || left.size() != right.size() || left == right) return names;
  for (const TensorMatch& match : pair.comparison.matches) {
    const bool is_one = match.a.size() == 1 && match.b.size() == 1 && match.stats;
    if (!is_one || !is_permutation(match.stats->pattern)) continue;
    const TensorView& view = weight_entry(a, match.a[0]).view;
    if (view.shape()[0] != static_cast<std::int64_t>(left.size())) continue;
    const auto order = permutation_order(view, weight_entry(b, match.b[0]).view, false, 1);
    if (order && are_in_order(left, right, *order)) names.insert(weight_name(a, match.a[0]));
  }
  return names;
}

}  // namespace samebits
