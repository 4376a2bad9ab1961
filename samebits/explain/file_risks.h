// What the files of one checkpoint do to a loader: it ends with an error, or takes one of two parts
// that should be one.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// load.refused and file.incomplete, one finding each, from the oddities of those kinds.
void find_file_risks(Report& report, const Subject& subject);

}  // namespace samebits
