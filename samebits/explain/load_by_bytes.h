// What the repair of a load leaves: tensors of the checkpoint without a place, and targets without
// a value that stand in the checkpoint under names to which no rule of names leads.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "samebits/explain/load_list.h"
#include "samebits/explain/report.h"

namespace samebits {

/// Of `dropped`, what has no place with the repair either. All of it where there is no repair.
std::vector<std::string> unplaced_tensors(const Checkpoint& source, const LoadReport& load);

/// Of `dropped`, what fills no target with the repair: the unplaced, and what has another shape.
std::vector<std::string> unused_tensors(const LoadReport& load);

/// Of `random` and `mismatched`, what has no value with the repair either.
std::set<std::string> open_targets(const LoadReport& load);

/// Where no rule of names was found: the renaming between torch's two weight_norm(). Then, where
/// the target is a checkpoint that holds the same values: the renaming that equal bytes show, of
/// all where names alone repair nothing, and of the rest where they repair a part.
void repair_by_bytes(const Checkpoint& source, const LoadList& target, int threads,
                     LoadReport& load);

}  // namespace samebits
