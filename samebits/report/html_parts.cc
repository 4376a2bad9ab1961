#include "samebits/report/html_parts.h"

#include <fmt/format.h>

#include "samebits/report/name_groups.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

constexpr std::size_t kLongCell = 160;  // characters of a cell; more are folded
constexpr std::size_t kGroupsOfNames = 12;

std::string class_of(const char* kind) {
  return *kind == 0 ? "" : fmt::format(" class=\"{}\"", kind);
}

}  // namespace

std::string html_text(std::string_view raw) {
  std::string text;
  for (const char c : printable(raw)) {
    switch (c) {
      case '&': text += "&amp;"; break;
      case '<': text += "&lt;"; break;
      case '>': text += "&gt;"; break;
      case '"': text += "&quot;"; break;
      case '\'': text += "&#39;"; break;
      default: text += c;
    }
  }
  return text;
}

std::string html_section(const std::string& id, std::string_view title, const std::string& body) {
  if (body.empty()) return "";
  return fmt::format("<section aria-labelledby=\"{0}\"><h2 id=\"{0}\">{1}</h2>\n{2}</section>\n",
                     id, html_text(title), body);
}

std::string html_cell(const std::string& text, const char* kind) {
  if (text.size() <= kLongCell)
    return fmt::format("<td{}>{}</td>", class_of(kind), html_text(text));
  return fmt::format("<td{}>{}</td>", class_of(kind),
                     html_fold(elide_middle(printable(text), kLongCell / 2), html_text(text)));
}

std::string html_number(double key, const std::string& text) {
  return fmt::format("<td class=\"number\" data-key=\"{:.17g}\">{}</td>", key, html_text(text));
}

std::string html_row(const std::vector<std::string>& cells) {
  std::string row = "<tr>";
  for (const std::string& each : cells) row += each;
  return row + "</tr>\n";
}

std::string html_table(const HtmlTable& table) {
  if (table.rows.empty()) return "";
  std::string head;
  for (const std::string& title : table.titles) {
    const bool numbers = title.starts_with('#');
    head += fmt::format("<th scope=\"col\"{}>{}</th>", numbers ? " class=\"number\"" : "",
                        html_text(title.substr(numbers ? 1 : 0)));
  }
  const std::string caption = html_text(table.caption);
  return fmt::format(
      "<div class=\"wide\" role=\"group\" aria-label=\"{0}\" tabindex=\"0\"><table{1}>"
      "<caption>{0}</caption><thead><tr>{2}</tr></thead><tbody>\n{3}</tbody></table></div>\n",
      caption, table.interactive ? " class=\"interactive\"" : "", head, table.rows);
}

std::string html_facts(const std::string& caption,
                       const std::vector<std::pair<std::string, std::string>>& facts) {
  std::string rows;
  for (const auto& [what, value] : facts) {
    if (!value.empty())
      rows += html_row({"<th scope=\"row\">" + html_text(what) + "</th>", html_cell(value)});
  }
  return html_table({.caption = caption, .titles = {"what", "value"}, .rows = rows});
}

std::string html_list(const std::vector<std::string>& lines) {
  std::string items;
  for (const std::string& line : lines) items += "<li>" + html_text(line) + "</li>\n";
  return items.empty() ? "" : "<ul>\n" + items + "</ul>\n";
}

std::string html_fold(std::string_view summary, const std::string& body, bool open) {
  if (body.empty()) return "";
  return fmt::format("<details{}><summary>{}</summary>{}</details>\n", open ? " open" : "",
                     html_text(summary), body);
}

std::string html_name_groups(const std::string& caption, const std::vector<std::string>& names) {
  std::string items;
  for (const PrefixGroup& group : group_by_prefix(names, kGroupsOfNames)) {
    if (group.members.size() == 1) {
      items += "<li><code>" + html_text(group.text) + "</code></li>\n";
      continue;
    }
    std::string lines;
    for (const std::uint32_t member : group.members)
      lines += "<li><code>" + html_text(names[member]) + "</code></li>\n";
    const std::string title =
        fmt::format("{}   {}{}", group.text, quantity(group.members.size(), "tensor"),
                    group.numbers.empty() ? "" : ", " + group.numbers);
    items += "<li>" + html_fold(title, "<ul>" + lines + "</ul>") + "</li>\n";
  }
  if (items.empty()) return "";
  return fmt::format("<h3>{}</h3>\n<ul class=\"names\">\n{}</ul>\n", html_text(caption), items);
}

}  // namespace samebits
