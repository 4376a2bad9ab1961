// Whole modules against a directory: what a class would build from the config, and what the modules
// hold.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// Where one side alone has modules, of a class that is not run here, and the other a config:
/// config.changed for values that the config contradicts, code.version for hooks, and a blocking
/// gap for attributes that move outputs and that nothing in the config tells.
void find_loose_modules(Report& report, const Subject& a, const Subject& b);

}  // namespace samebits
