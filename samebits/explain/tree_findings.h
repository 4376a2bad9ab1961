// What two trees of modules hold beside tensors, as findings.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// Where both subjects are whole modules: config.changed for attributes that move outputs,
/// code.version for other classes, functions, hooks and orders, a note for what cannot matter. What
/// is not known to matter, or could not be compared, stands in not_checked and leaves the report
/// undecided. Requires the pair's weights and config in the report.
void find_tree_changes(Report& report, const Subject& a, const Subject& b);

}  // namespace samebits
