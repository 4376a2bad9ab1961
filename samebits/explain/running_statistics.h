// Running statistics of batch norms: they follow every forward pass in training mode, trained or
// not.
#pragma once

#include <set>
#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// "bn1.running_mean", "bn1.running_var", "bn1.num_batches_tracked".
bool is_running_statistic(const std::string& name);

/// state.buffers: running statistics that differ, and how many batches apart they are. The cause
/// where nothing else of the pair's weights differs. Returns their names (A's), which
/// weights.changed need not list. Those in `explained` are left to the finding that explains them.
std::set<std::string> find_running_statistics(Report& report, const WeightPair& pair,
                                              const std::set<std::string>& explained = {});

}  // namespace samebits
