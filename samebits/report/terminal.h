// A Report as text for a person: one screen, the answer first.
//
// The layout is that of the documentation's examples. Every text of a report is escaped: control
// characters and escape sequences in names from hostile files reach no terminal. Deterministic:
// the same report gives the same text, whatever the locale.
#pragma once

#include <string>

#include "samebits/explain/report.h"

namespace samebits {

struct TerminalStyle {
  bool color = false;  // ANSI colours, sparingly
  int width = 80;      // columns, at least 40
  bool all = false;    // long lists whole
};

/// Ends with a newline. Requires findings with identifiers of explain/causes.h.
std::string render_terminal(const Report& report, const TerminalStyle& style = {});

}  // namespace samebits
