#include "samebits/report/list_section.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/report/screen.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

/// "3 checkpoints: 2 clean, 1 risk; 4 other files are no checkpoints"
std::string list_totals(const std::vector<ListRow>& rows, std::size_t others, bool is_cut) {
  std::vector<std::string> counts;
  for (const Verdict verdict : {Verdict::clean, Verdict::risk, Verdict::unknown}) {
    const auto count = std::ranges::count(rows, verdict, &ListRow::verdict);
    if (count > 0) counts.push_back(fmt::format("{} {}", count, verdict_name(verdict)));
  }
  std::string text = fmt::format("{}: {}", quantity(rows.size(), "path"), fmt::join(counts, ", "));
  if (others > 0)
    text +=
        fmt::format("; {} no {}", quantity(others, "other file") + (others == 1 ? " is" : " are"),
                    others == 1 ? "checkpoint" : "checkpoints");
  if (is_cut) text += "; there are more, which were not looked at";
  return text;
}

}  // namespace

ListRow list_row(const Report& report) {
  const Subject& subject = report.subjects.at(0);
  ListRow row{.verdict = report.verdict, .path = subject.path};
  if (report.verdict != Verdict::clean)
    row.why = subject.checkpoint || report.not_checked.empty() ? report.diagnosis
                                                               : report.not_checked.front();
  if (!subject.checkpoint) return row;
  const Checkpoint& checkpoint = *subject.checkpoint;
  row.kind = kind_name(checkpoint.kind);
  row.model = checkpoint.description.empty() ? checkpoint.model_type : checkpoint.description;
  if (checkpoint.has_weights()) row.tensors = grouped(checkpoint.weights().weights.size());
  std::uint64_t bytes = 0;
  for (const SourceFile& file : checkpoint.files) bytes += file.map ? file.map->bytes().size() : 0;
  row.size = size_text(bytes);
  return row;
}

std::string render_list(const std::vector<ListRow>& rows, std::size_t others, bool is_cut,
                        const TerminalStyle& style) {
  Screen screen(style);
  screen.line(0, list_totals(rows, others, is_cut));
  screen.blank();
  const bool any_model =
      std::ranges::any_of(rows, [](const ListRow& row) { return !row.model.empty(); });
  std::vector<std::vector<std::string>> cells;
  for (const ListRow& row : rows) {
    cells.push_back({verdict_name(row.verdict), row.path, row.kind, row.tensors, row.size});
    if (any_model) cells.back().insert(cells.back().begin() + 3, row.model);
  }
  std::vector<Column> columns = {{},
                                 {.title = "path", .give = Column::Give::elide},
                                 {.title = "kind"},
                                 {.title = "tensors", .right = true},
                                 {.title = "size", .right = true}};
  if (any_model)
    columns.insert(columns.begin() + 3, {.title = "model", .give = Column::Give::elide});
  screen.table(Screen::kIndent, columns, cells);
  screen.blank();
  for (const ListRow& row : rows) {
    if (row.why.empty()) continue;
    screen.line(Screen::kIndent, row.path);
    screen.row(verdict_name(row.verdict), row.why,
               row.verdict == Verdict::risk ? Tone::warn : Tone::bad);
  }
  return screen.take();
}

}  // namespace samebits
