// Weights that differ because a file is damaged, or because their values were never written.
#pragma once

#include <set>
#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// weights.invalid, a cause, for tensors of the pair that differ and lie in a zip record whose
/// checksum does not hold, or that holds zeros without a checksum. Reads the records of those
/// tensors only. Where equal tensors were never written on either side, says so in not_checked and
/// makes the report incomplete. Returns the names (A's, and those that stand on one side only)
/// that it accounts for.
std::set<std::string> find_damaged(Report& report, const WeightPair& pair, int threads);

/// weights.invalid, a risk, of what `check` read of the weights that a load takes.
void find_damaged_load(Report& report);

/// Whether an oddity of the subject is said by such a finding.
bool is_said_of_pair(const Report& report, const Subject& subject, const Oddity& oddity);

}  // namespace samebits
