// The table of causes: every reason for a difference or a risk that samebits can name, as data.
//
// The identifiers are stable: scripts and documents refer to them.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "samebits/explain/report.h"

namespace samebits {

struct Cause {
  std::string_view id;                       // "weights.changed"
  std::string_view meaning;                  // a phrase, as in the documentation
  std::array<std::string_view, 2> evidence;  // keys that its evidence always has; "" where fewer
};

/// In the order of the documentation.
std::span<const Cause> causes();

/// The cause of that identifier. An unknown one is a mistake of the programmer and ends the
/// program.
const Cause& cause(std::string_view id);

/// True where the finding's evidence has every key that its cause promises.
bool has_evidence(const Finding& finding);

}  // namespace samebits
