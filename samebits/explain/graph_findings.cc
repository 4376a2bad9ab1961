#include "samebits/explain/graph_findings.h"

#include <fmt/format.h>

#include "samebits/explain/subjects.h"

namespace samebits {

void find_graph_changes(Report& report, const Subject& a, const Subject& b) {
  const auto& left = a.checkpoint->graph;
  const auto& right = b.checkpoint->graph;
  const bool both = left && right && left->what == right->what;
  if (both && left->digest == right->digest) return;
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
