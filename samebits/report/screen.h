// Lines of a terminal report: labelled rows, tables, colour. The one place where text becomes
// output, so that whatever a file contains is escaped (report/text.h) before it is printed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "samebits/report/terminal.h"

namespace samebits {

enum class Tone : std::uint8_t { plain, bold, faint, good, warn, bad };

struct Column {
  std::string title{};
  bool right = false;  // aligned to the right
  /// How it gives way where the table is wider than the screen: by cuts that keep unlike cells
  /// unlike (tell_apart()), or by more lines.
  enum class Give : std::uint8_t { never, elide, wrap } give = Give::never;
};

/// A name and a mark for each of what it names: "layers 0-5 [====++]".
struct Marks {
  std::string name;
  std::string marks;        // one column each
  std::vector<Tone> tones;  // of each mark
};

/// All text arguments are raw: they are escaped here.
class Screen {
 public:
  static constexpr std::size_t kIndent = 2;
  static constexpr std::size_t kLabel = 10;  // columns of a label, its gap included

  explicit Screen(const TerminalStyle& style);

  std::size_t width() const { return width_; }
  /// Long lists are shown whole.
  bool all() const { return all_; }
  /// An empty line between two parts: never two in a row, none at either end.
  void blank() { blank_ = true; }
  /// "different: every forward pass draws noise          proved": `tail` stands at the right end.
  void headline(Tone tone, std::string_view word, std::string_view text, std::string_view tail);
  /// A label and text, wrapped with a hanging indent. An empty label continues the row above.
  void row(std::string_view label, std::string_view text, Tone tone = Tone::plain);
  /// The same with phrases that are kept whole where they fit.
  void phrases(std::string_view label, const std::vector<std::string>& parts,
               Tone tone = Tone::plain);
  /// Names with their marks, each kept on one line. Requires that each fits.
  void marks(std::string_view label, const std::vector<Marks>& parts);
  /// Two spaces between columns; a row of titles where one is not empty.
  void table(std::size_t indent, const std::vector<Column>& columns,
             const std::vector<std::vector<std::string>>& rows);
  /// One line as it is, neither wrapped nor shortened.
  void line(std::size_t indent, std::string_view text);

  std::string take();

 private:
  struct Grid;
  void write(std::string_view text, Tone tone);
  void end_line();
  void write_marks(const Marks& part);
  void write_row(std::size_t indent, const Grid& grid, const std::vector<std::string>& cells,
                 Tone tone);

  bool blank_ = false;  // owed before the next line
  bool color_ = false;
  bool all_ = false;
  std::size_t width_ = 80;
  std::size_t prose_ = 80;  // columns of running text
  std::string out_;
};

}  // namespace samebits
