// What the modules of whole-module pickles say otherwise than the config beside them, as findings.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// What the modules of whole-module pickles compute beside their config: config.changed for
/// attributes and code.version for hooks and own classes that one side has and the other has not; a
/// risk of config.changed where all modules contradict the config beside them.
void find_module_changes(Report& report, const Subject& a, const Subject& b);

}  // namespace samebits
