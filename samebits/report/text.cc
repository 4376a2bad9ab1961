#include "samebits/report/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace samebits {
namespace {

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t length = 0;  // 0: no valid UTF-8 here
};

// Source: Unicode 15, table 3-7 (well-formed UTF-8 byte sequences).
CodePoint decode(std::string_view text) {
  const auto byte = [&text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {};
  std::uint32_t value = first & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3Fu);
  }
  const std::uint32_t smallest = length == 4 ? 0x10000 : length == 3 ? 0x800 : 0x80;
  if (value < smallest || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return {};
  return {value, length};
}

struct Interval {
  std::uint32_t first, last;
};

// Zero-width characters, bidirectional controls, line and paragraph separators, tag characters,
// variation selectors and interlinear marks: text that hides or moves other text.
constexpr Interval kHidden[] = {
    {0x00AD, 0x00AD}, {0x061C, 0x061C}, {0x180E, 0x180E}, {0x200B, 0x200F}, {0x2028, 0x202E},
    {0x2060, 0x206F}, {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0xE0000, 0xE0FFF}};
constexpr Interval kCombining[] = {
    {0x0300, 0x036F}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x20D0, 0x20FF}, {0xFE20, 0xFE2F}};
constexpr Interval kWide[] = {{0x1100, 0x115F}, {0x2E80, 0xA4CF},   {0xAC00, 0xD7A3},
                              {0xF900, 0xFAFF}, {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},
                              {0xFFE0, 0xFFE6}, {0x1F300, 0x1FAFF}, {0x20000, 0x3FFFD}};

template <std::size_t n>
bool within(std::uint32_t value, const Interval (&intervals)[n]) {
  return std::any_of(std::begin(intervals), std::end(intervals), [value](const Interval& each) {
    return value >= each.first && value <= each.last;
  });
}

std::size_t width_of(std::uint32_t value) {
  if (within(value, kCombining)) return 0;
  return within(value, kWide) ? 2 : 1;
}

void append_escaped(std::uint32_t value, std::string* out) {
  switch (value) {
    case '\n': *out += "\\n"; return;
    case '\r': *out += "\\r"; return;
    case '\t': *out += "\\t"; return;
    default: break;
  }
  *out += value < 0x100 ? fmt::format("\\x{:02x}", value) : fmt::format("\\u{{{:x}}}", value);
}

// The longest prefix of printable text that takes at most `width` columns.
std::string_view prefix(std::string_view text, std::size_t width) {
  std::size_t end = 0;
  std::size_t taken = 0;
  while (end < text.size()) {
    const CodePoint point = decode(text.substr(end));
    taken += width_of(point.value);
    if (taken > width) break;
    end += std::max<std::size_t>(point.length, 1);
  }
  return text.substr(0, end);
}

std::string_view suffix(std::string_view text, std::size_t width) {
  std::string_view rest = text;
  std::size_t left = columns(text);
  while (left > width) {
    const CodePoint point = decode(rest);
    left -= width_of(point.value);
    rest.remove_prefix(std::max<std::size_t>(point.length, 1));
  }
  return rest;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// True where the space at `at` stands between groups of one number: "307 200".
bool inside_number(std::string_view text, std::size_t at) {
  if (at == 0 || !is_digit(text[at - 1]) || at + 3 >= text.size()) return false;
  const bool three = is_digit(text[at + 1]) && is_digit(text[at + 2]) && is_digit(text[at + 3]);
  return three && (at + 4 == text.size() || !is_digit(text[at + 4]));
}

std::vector<std::string_view> phrases(std::string_view text) {
  std::vector<std::string_view> found;
  for (std::size_t at = text.find("   "); at != text.npos; at = text.find("   ")) {
    found.push_back(text.substr(0, at));
    text.remove_prefix(std::min(text.find_first_not_of(' ', at), text.size()));
  }
  found.push_back(text);
  return found;
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> found;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != ' ' || inside_number(text, i)) continue;
    if (i > begin) found.push_back(text.substr(begin, i - begin));
    begin = i + 1;
  }
  if (begin < text.size()) found.push_back(text.substr(begin));
  return found;
}

// Collects lines: add() puts a piece on the current line where it fits, else on the next one.
class Lines {
 public:
  explicit Lines(std::size_t width) : width_(width) {}

  bool fits(std::string_view piece, std::string_view gap) const {
    return used_ == 0 || used_ + gap.size() + columns(piece) <= width_;
  }
  void add(std::string_view piece, std::string_view gap) {
    if (!fits(piece, gap)) end_line();
    if (used_ > 0) append(gap);
    while (columns(piece) > width_ - used_) {
      const std::string_view part = break_well(prefix(piece, width_ - used_));
      append(part);
      piece.remove_prefix(part.size());
      end_line();
    }
    append(piece);
  }
  void end_line() {
    lines_.push_back(std::move(line_));
    line_.clear();
    used_ = 0;
  }
  std::vector<std::string> take() {
    if (used_ > 0 || lines_.empty()) end_line();
    return std::move(lines_);
  }

 private:
  // A long word is cut behind a mark where it has one not too near its start.
  static std::string_view break_well(std::string_view part) {
    const std::size_t mark = part.find_last_of("(,=/.");
    const bool far_enough = mark != std::string_view::npos && mark >= part.size() / 3;
    return far_enough ? part.substr(0, mark + 1) : part;
  }

  void append(std::string_view text) {
    line_ += text;
    used_ += columns(text);
  }
  std::size_t width_;
  std::size_t used_ = 0;
  std::string line_;
  std::vector<std::string> lines_;
};

}  // namespace

std::string printable(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  while (!raw.empty()) {
    const CodePoint point = decode(raw);
    const std::size_t length = std::max<std::size_t>(point.length, 1);
    if (point.length == 0) {
      append_escaped(static_cast<std::uint8_t>(raw[0]), &out);
    } else if (point.value < 0x20 || (point.value >= 0x7F && point.value < 0xA0) ||
               within(point.value, kHidden)) {
      append_escaped(point.value, &out);
    } else {
      out += raw.substr(0, length);
    }
    raw.remove_prefix(length);
  }
  return out;
}

std::size_t columns(std::string_view text) {
  std::size_t total = 0;
  while (!text.empty()) {
    const CodePoint point = decode(text);
    total += width_of(point.value);
    text.remove_prefix(std::max<std::size_t>(point.length, 1));
  }
  return total;
}

std::string elide_middle(std::string_view text, std::size_t width) {
  if (columns(text) <= width) return std::string(text);
  if (width <= 3) return std::string(prefix("...", width));
  return elide_behind(text, width, (width - 3) / 2);
}

std::string elide_behind(std::string_view text, std::size_t width, std::size_t head) {
  if (columns(text) <= width) return std::string(text);
  return std::string(prefix(text, head)) + "..." + std::string(suffix(text, width - 3 - head));
}

std::vector<std::string> wrap(std::string_view text, std::size_t width) {
  width = std::max<std::size_t>(width, 8);
  Lines lines(width);
  for (const std::string_view phrase : phrases(text)) {
    if (columns(phrase) <= width) {
      lines.add(phrase, "   ");
      continue;
    }
    std::string_view gap = "   ";
    for (const std::string_view word : words(phrase)) {
      lines.add(word, gap);
      gap = " ";
    }
  }
  return lines.take();
}

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, " ");
  return digits;
}

std::string short_number(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
  const double size = std::abs(number);
  if (size >= 1000 && size < 1e15) {
    return (number < 0 ? "-" : "") + grouped(static_cast<std::uint64_t>(std::llround(size)));
  }
  return fmt::format("{:.3g}", number);
}

std::string size_text(std::uint64_t bytes) {
  if (bytes < 10'000) return grouped(bytes) + (bytes == 1 ? " byte" : " bytes");
  constexpr const char* kUnits[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  for (; value >= 999.95; value /= 1000) ++unit;
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  if (part == 0 || whole == 0) return "0 %";
  if (part == whole) return "100 %";
  const double share = 100 * static_cast<double>(part) / static_cast<double>(whole);
  if (share < 0.1) return "< 0.1 %";
  if (share > 99.9) return "> 99.9 %";
  return fmt::format("{:.1f} %", share);
}

std::string quantity(std::uint64_t number, std::string_view noun) {
  return grouped(number) + " " + std::string(noun) + (number == 1 ? "" : "s");
}

}  // namespace samebits
