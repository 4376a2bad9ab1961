// What the modules of whole-module pickles say otherwise than the config beside them, as findings.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// What the modules of whole-module pickles compute beside their config: config.changed for
/// attributes and code.version for hooks and own classes that one side has and the other has not; a
/// risk of config.changed where all modules contradict the config beside them.
void find_module_changes(Report& report, const Subject& a, const Subject& b);

/// Says in the report's assumptions that a class of one's own stands around the subject's model.
void note_wrapper(Report& report, const Subject& subject);

}  // namespace samebits
