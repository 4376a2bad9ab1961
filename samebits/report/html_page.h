// The frame of an HTML report: its style for screens, light and dark, and for paper, and the script
// that filters and sorts tables.
#pragma once

#include <string>

namespace samebits {

/// `body` is HTML; title and footer are text.
std::string html_page(const std::string& title, const std::string& body, const std::string& footer);

}  // namespace samebits
