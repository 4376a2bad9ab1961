// What the modules of whole-module pickles say otherwise than the config beside them, as findings.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// What the modules of whole-module pickles compute beside their config: config.changed for
/// attributes and code.version for hooks and own classes that one side has and the other has not; a
/// risk of config.changed where all modules contradict the config beside them.
void find_module_changes(Report& report, const Subject& a, const Subject& b);

/// Where one side alone has a config: config.changed for what the other's modules say otherwise
/// (eps, heads, activation of timm's, torchvision's and mae's classes).
void find_unlike_config(Report& report, const Subject& a, const Subject& b);

/// A risk of config.changed: weights under the names of a library whose class has another eps than
/// the config that was borrowed for them.
void find_implied_eps(Report& report, const Subject& subject);

/// Says in the report's assumptions that a class of one's own stands around the subject's model.
void note_wrapper(Report& report, const Subject& subject);

/// Says in the report's assumptions that a subject that was run has modules of a class whose code
/// is not known, under a library's names.
void note_foreign_class(Report& report, const Subject& subject);

}  // namespace samebits
