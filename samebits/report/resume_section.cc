#include "samebits/report/sections.h"

namespace samebits {

void resume_section(const Report& report, Screen* screen) {
  std::vector<std::vector<std::string>> rows;
  const bool several = report.subjects.size() > 1;
  for (const ResumePart& part : report.resume) {
    std::string text = part.place;
    if (!part.detail.empty()) text += (text.empty() ? "" : ": ") + part.detail;
    rows.push_back({several ? part.subject : "", part.part, part.state, text});
  }
  if (!several) {
    for (auto& row : rows) row.erase(row.begin());
  }
  std::vector<Column> columns = {{}, {}, {.give = Column::Give::wrap}};
  if (several) columns.insert(columns.begin(), Column{});
  screen->table(Screen::kIndent, columns, rows);
}

}  // namespace samebits
