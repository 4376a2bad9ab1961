// samebits check --python: the repair that check found, as lines to paste.
#pragma once

#include <string>

#include "samebits/base/error.h"
#include "samebits/explain/report.h"

namespace samebits {

/// A function `repaired(state)` of a dict of torch tensors by name, which gives the dict under the
/// target's names. Needs re, and torch where tensors are stacked; leaves `state` as it is. `path`
/// stands in its comment. Errors: usage where there is nothing to repair, unsupported where no
/// whole repair was found, or a name cannot stand in a line of Python.
Result<std::string> repair_as_python(const LoadReport& load, const std::string& path);

/// Of a check without a load.
Error nothing_to_repair(const Report& made, const std::string& path);

/// The same errors, for whoever applies the repair: what check found is whole.
Result<void> check_repairable(const LoadReport& load, const std::string& path);

}  // namespace samebits
