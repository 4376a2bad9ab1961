// How much of the machine's processors this process may use.
#pragma once

#include <optional>
#include <string>

namespace samebits {

/// The processors that it may run on (sched_getaffinity); at least 1.
int affinity_processors();

/// How many processors' time its control groups allow it: cpu.max (version 2) or cpu.cfs_quota_us
/// (version 1), the least of its own group and of those above. Nothing where none limits it; a file
/// that cannot be read limits nothing. `root` stands before every path that is read: for tests.
std::optional<double> control_group_processors(const std::string& root = "");

}  // namespace samebits
