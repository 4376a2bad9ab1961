// Pieces of an HTML page: escaped text, cells, tables, sections, folds.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace samebits {

/// Text in an HTML document: markup and what no text holds are escaped.
std::string html_text(std::string_view raw);

/// `id` is of the program, everything else raw text. Empty where the body is.
std::string html_section(const std::string& id, std::string_view title, const std::string& body);

/// A cell of text; `kind` is a class of the style sheet. Long texts are folded.
std::string html_cell(const std::string& text, const char* kind = "");
/// A number's cell, which sorts by `key`.
std::string html_number(double key, const std::string& text);
std::string html_row(const std::vector<std::string>& cells);

struct HtmlTable {
  std::string caption;              // what it lists, for everyone
  std::vector<std::string> titles;  // '#' in front: numbers
  std::string rows{};               // html_row()s
  bool interactive = false;         // the script lets it sort and filter, and pages long ones
};
/// Empty where there are no rows.
std::string html_table(const HtmlTable& table);

/// Two columns: what, and what it is. Rows without a value are left out.
std::string html_facts(const std::string& caption,
                       const std::vector<std::pair<std::string, std::string>>& facts);
std::string html_list(const std::vector<std::string>& lines);
/// Content that opens with a click; `body` is HTML.
std::string html_fold(std::string_view summary, const std::string& body, bool open = false);

/// Names under few prefixes, each group with all its names folded in it.
std::string html_name_groups(const std::string& caption, const std::vector<std::string>& names);

}  // namespace samebits
