// Text for a terminal: safe to print, measured in columns, wrapped and shortened.
//
// Nothing here reads the locale or the environment. UTF-8 throughout.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace samebits {

/// `raw` without anything that a terminal would act on: control characters (C0, DEL, C1), escape
/// sequences, line separators, and the invisible characters that reorder or hide text become "\n",
/// "\x1b", "\u{202e}"; bytes that are no UTF-8 become "\xff". A backslash stays as it is.
std::string printable(std::string_view raw);

/// Terminal columns of printable text: East Asian wide characters take two, combining marks none.
std::size_t columns(std::string_view text);

/// At most `width` columns: the middle is replaced by "..." where it does not fit.
std::string elide_middle(std::string_view text, std::size_t width);

/// The same with `head` columns in front of the dots. Requires head + 3 <= width where it is too
/// long.
std::string elide_behind(std::string_view text, std::size_t width, std::size_t head);

/// Lines of at most `width` columns (at least 8). Breaks where three spaces separate two phrases if
/// a whole phrase fits on the next line, else between words, else inside a word; never inside a
/// number with grouped digits. At least one line, which may be empty.
std::vector<std::string> wrap(std::string_view text, std::size_t width);

/// 307200 as "307 200".
std::string grouped(std::uint64_t number);
/// Three significant digits: "1.16", "4e-07", "12 345" from a thousand on, "NaN", "Infinity".
std::string short_number(double number);
/// "812 bytes", "447.6 MB" (powers of ten).
std::string size_text(std::uint64_t bytes);
/// "100 %" and "0 %" only where it is exactly that; else "99.9 %", "< 0.1 %" and the like.
std::string percent(std::uint64_t part, std::uint64_t whole);
/// "1 tensor", "2 tensors": the number grouped, and an s where it is not one.
std::string quantity(std::uint64_t number, std::string_view noun);

}  // namespace samebits
