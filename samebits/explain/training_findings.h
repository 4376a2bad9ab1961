// What one file's optimizer shows by itself: a state that a training has not left, or one that
// load_state_dict() takes and does not use.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// resume.missing: the optimizer has no moments, or zeros only, or stands at step 0. A risk where
/// the file says that the training had gone further, else a note. At most 16 MiB of moments are
/// read.
void find_fresh_optimizer(Report& report, const Subject& subject);

/// resume.missing, a risk: state under keys that the optimizer's own param_groups do not list, as
/// dcp_to_torch_save leaves it.
void find_unused_state(Report& report, const Subject& subject);

}  // namespace samebits
