// What is suspicious about a member's name in an archive.
#pragma once

#include <string_view>

namespace samebits {

/// "is absolute", "leaves its folder by ..", "holds a NUL byte", "holds a backslash"; nullptr for
/// an ordinary name. Extractors and loaders treat such names differently; this program only looks
/// names up and never makes a path of them.
const char* member_name_risk(std::string_view name);

}  // namespace samebits
