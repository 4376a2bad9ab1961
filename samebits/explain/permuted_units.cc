#include "samebits/explain/permuted_units.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "samebits/compare/constant_tensor.h"
#include "samebits/compare/permuted_rows.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

/// Tensors that share one order.
struct UnitGroup {
  std::set<std::string> names;
  std::vector<std::string> rows;  // of these, the matrices whose rows do
  bool has_columns = false;       // those of a matrix
};

/// The biases of A whose elements are not all alike: an order of rows has to hold for them, too.
std::set<std::string> biases_with_order(const Subject& a, const WeightComparison& comparison) {
  std::set<std::string> names;
  for (const TensorMatch& match : comparison.matches) {
    if (match.a.size() != 1) continue;
    const std::string& name = weight_name(a, match.a[0]);
    if (name.ends_with(".bias") && !is_constant(weight_entry(a, match.a[0]).view))
      names.insert(name);
  }
  return names;
}

bool holds_its_biases(const UnitGroup& group, const std::set<std::string>& biases) {
  return std::ranges::all_of(group.rows, [&](const std::string& name) {
    const std::string bias = name.substr(0, name.rfind('.') + 1) + "bias";
    return !biases.contains(bias) || group.names.contains(bias);
  });
}

}  // namespace

std::set<std::string> permuted_units(const Report& report, const WeightPair& pair) {
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  std::map<std::vector<std::size_t>, UnitGroup> groups;
  for (const TensorMatch& match : pair.comparison.matches) {
    const bool is_one = match.a.size() == 1 && match.b.size() == 1 && match.stats;
    if (!is_one || !is_permutation(match.stats->pattern) ||
        match.stats->pattern == kChannelsReversed)
      continue;
    const bool of_columns = match.stats->pattern.find("columns") != std::string::npos;
    const TensorView& view = weight_entry(a, match.a[0]).view;
    auto order = permutation_order(view, weight_entry(b, match.b[0]).view, of_columns, 1);
    if (!order) continue;
    UnitGroup& group = groups[*std::move(order)];
    group.names.insert(weight_name(a, match.a[0]));
    const bool is_matrix = view.shape().size() > 1;
    if (is_matrix && !of_columns) group.rows.push_back(weight_name(a, match.a[0]));
    group.has_columns = group.has_columns || (is_matrix && of_columns);
  }
  const std::set<std::string> biases = biases_with_order(a, pair.comparison);
  std::set<std::string> names;
  for (auto& [order, group] : groups) {
    if (!group.rows.empty() && group.has_columns && holds_its_biases(group, biases))
      names.merge(group.names);
  }
  return names;
}

}  // namespace samebits
