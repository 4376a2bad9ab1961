// What `samebits inspect` says of several files: which they are, and one line of each.
#pragma once

#include <string>
#include <vector>

#include "samebits/base/error.h"
#include "samebits/cli/options.h"
#include "samebits/explain/inspect.h"

namespace samebits {

/// Paths as a shell would expand them: a pattern with * ? or [ that names no file is replaced by
/// the paths that fit it, in order; what fits nothing stays as it is.
std::vector<std::string> expanded_paths(const std::vector<std::string>& given);

/// Inspects each path, and with `recursive` what is below it, and prints the list; the worst exit
/// status of all. A directory that is read as a model is one of them, and its own files are none.
/// Below a directory, files that are no checkpoints are counted.
int inspect_all(const std::vector<std::string>& paths, bool recursive,
                const InspectOptions& options, const ReportOptions& report);

}  // namespace samebits
