#include "samebits/report/sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "samebits/report/text.h"

namespace samebits {
namespace {

// Counted in ULP, numbers of unlike size are far apart, and the count says nothing.
constexpr std::uint64_t kTellingUlp = 4096;

std::vector<std::string> cells(const OutputPair& pair, bool with_units) {
  const bool telling = pair.max_ulp && *pair.max_ulp < kTellingUlp;
  std::vector<std::string> cells = {pair.point, percent(pair.differing, pair.elements),
                                    short_number(pair.max_abs),
                                    telling ? grouped(*pair.max_ulp) : ""};
  if (with_units) {
    const double units = pair.floor_units.value_or(0);
    cells.push_back(!pair.floor_units      ? ""
                    : std::isfinite(units) ? fmt::format("{:.3g}", units)
                                           : "not finite");
  }
  const bool both = !pair.looks_like.empty() && !pair.where.empty();
  cells.push_back(pair.looks_like + (both ? ": " : "") + pair.where);
  return cells;
}

std::string named_point(const Report& report) {
  for (const Finding& finding : report.findings) {
    if (finding.evidence.contains("point") && finding.evidence["point"].is_string())
      return finding.evidence["point"].get<std::string>();
  }
  return "";
}

}  // namespace

void trace_section(const Report& report, Screen* screen) {
  std::vector<const OutputPair*> differing;
  const OutputPair* last_equal = nullptr;
  for (const OutputPair& pair : report.outputs) {
    if (pair.differing > 0) {
      differing.push_back(&pair);
    } else if (differing.empty()) {
      last_equal = &pair;
    }
  }
  const std::size_t equal = report.outputs.size() - differing.size();
  screen->row(
      "points",
      fmt::format("{} compared in {}, {} bit-identical", grouped(report.outputs.size()),
                  report.in_file_order ? "the file's order" : "execution order", grouped(equal)));
  if (differing.empty()) return;
  screen->row(report.in_file_order ? "differ at" : "part at", differing.front()->point, Tone::bold);
  if (!report.in_file_order && last_equal != nullptr)
    screen->row("", "equal up to " + last_equal->point);
  screen->blank();
  // The first points that differ, or those about the one that a finding names; and the last: how
  // the difference grows.
  constexpr std::size_t kShown = 8;
  const std::string named = named_point(report);
  const auto at =
      std::ranges::find_if(differing, [&](const OutputPair* pair) { return pair->point == named; });
  const auto place = at == differing.end() ? 0 : static_cast<std::size_t>(at - differing.begin());
  const std::size_t first = place < kShown ? 0 : place - kShown / 2;
  const bool with_units = differing[0]->floor_units.has_value();  // of double precision
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = screen->all() ? 0 : first; i < differing.size(); ++i) {
    if (screen->all() || i < first + kShown || i + 1 == differing.size())
      rows.push_back(cells(*differing[i], with_units));
  }
  std::vector<Column> columns = {{.title = "point", .give = Column::Give::elide},
                                 {.title = "differing", .right = true},
                                 {.title = "up to", .right = true},
                                 {.title = "ULP", .right = true}};
  if (with_units) columns.push_back({.title = "x rounding", .right = true});
  columns.push_back({.title = "looks like", .give = Column::Give::wrap});
  screen->table(Screen::kIndent, columns, rows);
  if (differing.size() > rows.size()) screen->row("", and_more(differing.size() - rows.size()));
}

}  // namespace samebits
