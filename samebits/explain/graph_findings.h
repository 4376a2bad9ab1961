// What the graphs of ONNX models and exported programs add to a comparison: they are held against
// each other as a whole, and never understood.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// Both have a graph, and of the same kind: its constants are compared with it.
bool have_like_graphs(const Subject& a, const Subject& b);

/// Of two graphs that differ, be it in a constant, the report is left undecided; of one alone
/// not_checked says that it was not looked at.
void find_graph_changes(Report& report, const Subject& a, const Subject& b);

}  // namespace samebits
