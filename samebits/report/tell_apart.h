// Long names in little room: what they share is cut, what tells them apart is kept.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace samebits {

/// Printable texts in at most `width` columns each, so that unlike texts stay unlike: first without
/// a part of the beginning that all share, then without a part of their own middle, from one '.' or
/// '/' to another where that is enough. Where no cut keeps them apart they come back whole, for the
/// caller to wrap.
std::vector<std::string> tell_apart(const std::vector<std::string>& texts, std::size_t width);

}  // namespace samebits
