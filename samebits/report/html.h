// The report as one self-contained page: no network, no script from elsewhere; readable without any
// script, which only filters, sorts and pages tables.
#pragma once

#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// `command_line` is what was typed, as text; "" where that is not known.
std::string render_html(const Report& report, const std::string& command_line = "");

}  // namespace samebits
