// The report as one self-contained page: no network, no script from elsewhere; readable without any
// script, which only filters and sorts.
#pragma once

#include <string>

#include "samebits/explain/report.h"

namespace samebits {

std::string render_html(const Report& report);

}  // namespace samebits
