// The word that was probably meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace samebits {

/// Of `known` the word with the fewest letters to add, drop, change or swap with the next one; ""
/// where that is more than a third of the letters of `word`. Of equal ones the first.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace samebits
