// Words in one text with blanks between them, as the tables of this layer list model types.
#pragma once

#include <string_view>

namespace samebits {

inline bool lists_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const std::size_t end = words.find(' ');
    if (words.substr(0, end) == word) return true;
    words = end == std::string_view::npos ? "" : words.substr(end + 1);
  }
  return false;
}

}  // namespace samebits
