// --heads, --eps and the like: config fields that a bare state dict does not say.
#pragma once

#include <CLI/CLI.hpp>

#include "samebits/base/json.h"

namespace samebits {

/// Adds the options of family/field_options.h; what is given goes to `fields`. A value that the
/// table of ranges does not allow is a usage error that says what is.
void add_field_options(CLI::App* command, Json* fields);

}  // namespace samebits
