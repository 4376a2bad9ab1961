// Running statistics of batch norms: they follow every forward pass in training mode, trained or
// not.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// "bn1.running_mean", "bn1.running_var", "bn1.num_batches_tracked".
bool is_running_statistic(const std::string& name);

/// A count that a load without it leaves as it is, 0 in a new model, and that no output in eval
/// mode uses: "bn1.num_batches_tracked" where `has()` finds "bn1.running_mean", and "n_averaged" of
/// an AveragedModel. Source: torch 2.13.0, nn/modules/batchnorm.py and optim/swa_utils.py.
bool is_lone_counter(const std::string& name, const std::function<bool(const std::string&)>& has);

/// state.buffers: running statistics that differ, and how many batches apart they are. The cause
/// where nothing else of the pair's weights differs. Returns their names (A's), which
/// weights.changed need not list. Those in `explained` are left to the finding that explains them.
std::set<std::string> find_running_statistics(Report& report, const WeightPair& pair,
                                              const std::set<std::string>& explained = {});

}  // namespace samebits
