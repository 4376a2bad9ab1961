#include "samebits/explain/graph_findings.h"

#include <map>
#include <set>

#include <fmt/format.h>

#include "samebits/checkpoint/shards.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

/// Tensors that the graph holds and that are no weights, by their names.
std::map<std::string, const StoredTensor*> constants_of(const Checkpoint& checkpoint) {
  std::map<std::string, const StoredTensor*> constants;
  for (const StoredTensor& tensor : checkpoint.entries)
    if (tensor.role == TensorRole::other) constants[tensor.path] = &tensor;
  return constants;
}

/// Names of constants that differ, or that one graph alone has.
std::vector<std::string> changed_constants(const Subject& a, const Subject& b) {
  const auto left = constants_of(*a.checkpoint);
  const auto right = constants_of(*b.checkpoint);
  std::set<std::string> changed;
  for (const auto& [name, tensor] : left)
    if (const auto other = right.find(name);
        other == right.end() || !have_equal_values(*tensor, *other->second))
      changed.insert(name);
  for (const auto& [name, tensor] : right)
    if (!left.contains(name)) changed.insert(name);
  return {changed.begin(), changed.end()};
}

void add_changed_constants(Report& report, const Subject& a, const Subject& b) {
  const std::vector<std::string> changed = changed_constants(a, b);
  if (changed.empty()) return;
  add_gap(report,
          fmt::format("{} and {}: what their graphs compute with {} that differ{}: {}", a.label,
                      b.label, counted(changed.size(), "constant"), changed.size() == 1 ? "s" : "",
                      some_of(changed)),
          Gap::open);
}

}  // namespace

bool have_like_graphs(const Subject& a, const Subject& b) {
  const auto& left = a.checkpoint->graph;
  const auto& right = b.checkpoint->graph;
  return left && right && left->what == right->what;
}

void find_graph_changes(Report& report, const Subject& a, const Subject& b) {
  const auto& left = a.checkpoint->graph;
  const auto& right = b.checkpoint->graph;
  const bool both = have_like_graphs(a, b);
  if (both && left->digest == right->digest) return add_changed_constants(report, a, b);
  if (both)
    return add_gap(report,
                   fmt::format("{} and {}: what their graphs compute, which are not the same bytes",
                               a.label, b.label),
                   Gap::open);
  for (const auto& [graph, subject] : {std::pair(&left, &a), std::pair(&right, &b)})
    if (*graph)
      report.not_checked.push_back(
          fmt::format("{}: what its {} computes", subject->label, (*graph)->what));
}

}  // namespace samebits
