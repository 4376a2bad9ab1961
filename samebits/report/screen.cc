#include "samebits/report/screen.h"

#include <algorithm>
#include <numeric>

#include "samebits/report/tell_apart.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

constexpr std::size_t kGap = 2;             // between the columns of a table
constexpr std::size_t kNarrowest = 8;       // what an elastic column keeps
constexpr std::size_t kNarrowestName = 16;  // and one of names
constexpr std::size_t kProse = 100;         // wider lines of running text are hard to read
// No text of a report needs more; a name from a file may have megabytes.
constexpr std::size_t kLongest = 2000;

std::string_view code_of(Tone tone) {
  switch (tone) {
    case Tone::plain: return "";
    case Tone::bold: return "\x1b[1m";
    case Tone::faint: return "\x1b[2m";
    case Tone::good: return "\x1b[1;32m";
    case Tone::warn: return "\x1b[1;33m";
    case Tone::bad: return "\x1b[1;31m";
  }
  return "";
}

std::string safe(std::string_view raw) {
  // Cut before escaping, so that a huge name costs nothing; four bytes are the longest character.
  if (raw.size() > 8 * kLongest) {
    std::string cut(raw.substr(0, 4 * kLongest));
    cut += "...";
    cut += raw.substr(raw.size() - 4 * kLongest);
    return elide_middle(printable(cut), kLongest);
  }
  return elide_middle(printable(raw), kLongest);
}

std::string padding(std::size_t count) { return std::string(count, ' '); }

std::string padded(std::string_view text, std::size_t width) {
  const std::size_t used = columns(text);
  return std::string(text) + padding(width > used ? width - used : 0);
}

}  // namespace

// The columns of one table with their widths.
struct Screen::Grid {
  const std::vector<Column>* columns;
  std::vector<std::size_t> widths;

  Grid(const std::vector<Column>& given, const std::vector<std::vector<std::string>>& rows)
      : columns(&given) {
    for (const Column& column : given) widths.push_back(samebits::columns(column.title));
    for (const auto& row : rows) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        widths[i] = std::max(widths[i], samebits::columns(row[i]));
      }
    }
  }
  std::size_t total() const {
    return std::accumulate(widths.begin(), widths.end(), kGap * (widths.size() - 1));
  }
  // Cuts the cells of the columns that are made for it.
  void shorten(std::vector<std::vector<std::string>>* cells) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if ((*columns)[i].give != Column::Give::elide) continue;
      std::vector<std::string> texts;
      for (const auto& row : *cells) texts.push_back(row[i]);
      texts = tell_apart(texts, widths[i]);
      std::size_t widest = samebits::columns((*columns)[i].title);
      for (std::size_t y = 0; y < cells->size(); ++y) {
        widest = std::max(widest, samebits::columns(texts[y]));
        (*cells)[y][i] = texts[y];
      }
      widths[i] = std::min(widths[i], widest);
    }
  }
  // Narrows the widest elastic column until the table fits or none can give more; names keep more
  // than other text as long as that is enough.
  void shrink_to(std::size_t available) {
    for (const std::size_t of_names : {kNarrowestName, kNarrowest}) {
      while (total() > available && narrow_widest(of_names)) {
      }
    }
  }
  bool narrow_widest(std::size_t of_names) {
    std::size_t widest = widths.size();
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const Column::Give give = (*columns)[i].give;
      const std::size_t least = give == Column::Give::elide ? of_names : kNarrowest;
      if (give == Column::Give::never || widths[i] <= least) continue;
      if (widest == widths.size() || widths[i] > widths[widest]) widest = i;
    }
    if (widest == widths.size()) return false;
    --widths[widest];
    return true;
  }
};

Screen::Screen(const TerminalStyle& style)
    : color_(style.color),
      all_(style.all),
      width_(static_cast<std::size_t>(std::clamp(style.width, 40, 1000))),
      prose_(std::min(width_, kProse)) {}

void Screen::write(std::string_view text, Tone tone) {
  if (blank_ && !out_.empty()) out_ += '\n';
  blank_ = false;
  if (!color_ || tone == Tone::plain || text.empty()) {
    out_ += text;
    return;
  }
  out_ += code_of(tone);
  out_ += text;
  out_ += "\x1b[0m";
}

void Screen::end_line() {
  while (!out_.empty() && out_.back() == ' ') out_.pop_back();
  out_ += '\n';
}

std::string Screen::take() { return std::move(out_); }

void Screen::headline(Tone tone, std::string_view word, std::string_view text,
                      std::string_view tail) {
  const std::string start = std::string(word) + ": ";
  const std::size_t reserved = tail.empty() ? 0 : columns(tail) + 3;
  const std::vector<std::string> lines = wrap(safe(text), prose_ - columns(start) - reserved);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i == 0) write(start, tone);
    if (i > 0) write(padding(columns(start)), Tone::plain);
    write(lines[i], Tone::bold);
    if (i == 0 && !tail.empty()) {
      const std::size_t used = columns(start) + columns(lines[0]) + columns(tail);
      write(padding(prose_ - used), Tone::plain);
      write(tail, Tone::faint);
    }
    end_line();
  }
}

void Screen::row(std::string_view label, std::string_view text, Tone tone) {
  std::vector<std::string> lines = wrap(safe(text), prose_ - kIndent - kLabel);
  std::string head = padding(kIndent) + padded(safe(label), kLabel);
  if (columns(label) >= kLabel) {  // its text stands under it
    write(head, tone);
    end_line();
    head = padding(kIndent + kLabel);
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    write(i == 0 ? head : padding(kIndent + kLabel), tone);
    write(lines[i], Tone::plain);
    end_line();
  }
}

void Screen::write_marks(const Marks& part) {
  write(safe(part.name) + (part.name.empty() ? "[" : " ["), Tone::plain);
  for (std::size_t i = 0; i < part.marks.size();) {
    std::size_t end = i + 1;
    while (end < part.marks.size() && part.tones[end] == part.tones[i]) ++end;
    write(std::string_view(part.marks).substr(i, end - i), part.tones[i]);
    i = end;
  }
  write("]", Tone::plain);
}

void Screen::marks(std::string_view label, const std::vector<Marks>& parts) {
  constexpr std::size_t kBetween = 3;
  write(padding(kIndent) + padded(safe(label), kLabel), Tone::plain);
  std::size_t used = kIndent + kLabel;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t needed =
        columns(safe(parts[i].name)) + (parts[i].name.empty() ? 2 : 3) + parts[i].marks.size();
    if (i > 0 && used + kBetween + needed > width_) {
      end_line();
      write(padding(kIndent + kLabel), Tone::plain);
      used = kIndent + kLabel;
    } else if (i > 0) {
      write(padding(kBetween), Tone::plain);
      used += kBetween;
    }
    write_marks(parts[i]);
    used += needed;
  }
  end_line();
}

void Screen::phrases(std::string_view label, const std::vector<std::string>& parts, Tone tone) {
  std::string text;
  for (const std::string& phrase : parts) {
    if (phrase.empty()) continue;
    if (!text.empty()) text += "   ";
    text += phrase;
  }
  row(label, text, tone);
}

void Screen::table(std::size_t indent, const std::vector<Column>& columns,
                   const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> cells;
  for (const auto& row : rows) {
    std::vector<std::string>& made = cells.emplace_back();
    for (const std::string& cell : row) made.push_back(safe(cell));
  }
  Grid grid(columns, cells);
  grid.shrink_to(width_ > indent ? width_ - indent : 0);
  grid.shorten(&cells);
  std::vector<std::string> titles;
  for (const Column& column : columns) titles.push_back(column.title);
  const auto has_text = [](const std::string& title) { return !title.empty(); };
  if (std::any_of(titles.begin(), titles.end(), has_text)) {
    write_row(indent, grid, titles, Tone::faint);
  }
  for (const auto& row : cells) write_row(indent, grid, row, Tone::plain);
}

void Screen::write_row(std::size_t indent, const Grid& grid, const std::vector<std::string>& cells,
                       Tone tone) {
  std::vector<std::vector<std::string>> lines;  // of each cell
  std::size_t height = 1;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if ((*grid.columns)[i].give == Column::Give::never) {
      lines.push_back({cells[i]});
    } else {
      lines.push_back(wrap(cells[i], grid.widths[i]));
    }
    height = std::max(height, lines.back().size());
  }
  for (std::size_t y = 0; y < height; ++y) {
    write(padding(indent), Tone::plain);
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string text = y < lines[i].size() ? lines[i][y] : "";
      const std::string space = padding(grid.widths[i] - std::min(grid.widths[i], columns(text)));
      if (i > 0) out_ += padding(kGap);
      if ((*grid.columns)[i].right) out_ += space;
      write(text, tone);
      if (!(*grid.columns)[i].right) out_ += space;
    }
    end_line();
  }
}

void Screen::line(std::size_t indent, std::string_view text) {
  write(padding(indent), Tone::plain);
  write(printable(text), Tone::plain);
  end_line();
}

}  // namespace samebits
