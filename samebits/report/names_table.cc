#include <algorithm>

#include "samebits/report/name_groups.h"
#include "samebits/report/sections.h"
#include "samebits/report/text.h"

namespace samebits {

void names_table(const NamesTable& table, Screen* screen) {
  const std::size_t lines = screen->all() ? table.names.size() : table.lines;
  std::vector<std::vector<std::string>> rows;
  std::size_t left_out = 0;
  if (screen->all()) {
    for (const std::string& name : table.names) rows.push_back({name, "", ""});
  } else {
    for (const PrefixGroup& group : group_by_prefix(table.names, lines)) {
      const std::size_t count = group.members.size();
      if (rows.size() == lines) {
        left_out += count;
      } else {
        rows.push_back({group.text, count > 1 ? grouped(count) : "", group.numbers});
      }
    }
  }
  screen->table(table.indent,
                {{.title = table.title, .give = Column::Give::elide},
                 {.right = true},
                 {.give = Column::Give::elide}},
                rows);
  if (left_out > 0) screen->row("", and_more(left_out));
}

}  // namespace samebits
