#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "samebits/report/name_groups.h"
#include "samebits/report/sections.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

constexpr std::size_t kChangedRows = 10;
// Beyond that, units in the last place say no more than that the numbers are others.
constexpr std::uint64_t kSmallUlp = 4096;
constexpr double kTellingCosine = 0.999;
// Of narrower screens names need the room.
constexpr std::size_t kRoomForCosine = 72;

std::string match_name(const Report& report, const WeightPair& pair, const TensorMatch& match) {
  const bool from_a = !match.a.empty();
  const std::vector<std::uint32_t>& indexes = from_a ? match.a : match.b;
  if (indexes.empty()) return "";
  const std::string& name = weight_name(subject_of(report, from_a ? pair.a : pair.b), indexes[0]);
  return indexes.size() == 1 ? name : fmt::format("{} and {} more", name, indexes.size() - 1);
}

/// Changed tensors that are one row: of one name but for its numbers, changed in one way.
struct ChangeRow {
  std::vector<std::string> names;
  std::vector<const TensorMatch*> members;

  double relative() const {
    double square_a = 0;
    double square = 0;
    for (const TensorMatch* match : members) {
      if (!match->stats || !std::isfinite(match->stats->relative_norm))
        return std::numeric_limits<double>::infinity();
      square_a += match->stats->norm_a * match->stats->norm_a;
      square += match->stats->norm_difference * match->stats->norm_difference;
    }
    if (square_a > 0) return std::sqrt(square / square_a);
    return members[0]->stats->relative_norm;
  }
  bool has_stats() const { return members[0]->stats.has_value(); }
  double max_abs() const {
    double most = 0;
    for (const TensorMatch* match : members) most = std::max(most, match->stats->max_abs);
    return most;
  }
  double cosine() const {
    double least = 1;
    for (const TensorMatch* match : members) least = std::min(least, match->stats->cosine);
    return least;
  }
  /// The largest; nothing where it is no small number, or types differ.
  std::optional<std::uint64_t> ulp() const {
    std::uint64_t most = 0;
    for (const TensorMatch* match : members) {
      if (!match->stats || !match->stats->max_ulp) return std::nullopt;
      most = std::max(most, *match->stats->max_ulp);
    }
    return most <= kSmallUlp ? std::optional(most) : std::nullopt;
  }
  std::string pattern() const;
};

std::string ChangeRow::pattern() const {
  const TensorMatch& first = *members[0];
  std::string text;
  if (first.stats) {
    const TensorStats& stats = *first.stats;
    text = stats.pattern;
    if (members.size() == 1 && stats.pattern == "few rows")
      text = fmt::format("{} of {} rows", stats.rows_differing, stats.rows);
    if (members.size() == 1 && stats.pattern.empty())
      text = percent(stats.differing, stats.elements) + " of it";
  }
  if (!first.how.empty()) text += (text.empty() ? "" : "; ") + first.how;
  return text;
}

std::vector<ChangeRow> change_rows(const Report& report, const WeightPair& pair, bool apart) {
  std::vector<ChangeRow> rows;
  std::unordered_map<std::string, std::size_t> place;
  for (const TensorMatch& match : pair.comparison.matches) {
    if (match.kind != MatchKind::changed) continue;
    const std::string name = match_name(report, pair, match);
    std::string key = apart ? name : name_template(name);
    key += '\n' + match.how + '\n' + (match.stats ? match.stats->pattern : "none");
    const auto [at, is_new] = place.try_emplace(key, rows.size());
    if (is_new) rows.emplace_back();
    rows[at->second].names.push_back(name);
    rows[at->second].members.push_back(&match);
  }
  std::ranges::stable_sort(
      rows, [](const ChangeRow& x, const ChangeRow& y) { return x.relative() > y.relative(); });
  return rows;
}

/// A table whose columns appear where one of its rows has something to say in them.
class ChangeTable {
 public:
  ChangeTable(const std::vector<ChangeRow>& rows, std::string title, std::size_t width)
      : title_(std::move(title)) {
    for (const ChangeRow& row : rows) {
      grouped_ |= row.members.size() > 1;
      cosine_ |= width >= kRoomForCosine && row.has_stats() && row.cosine() < kTellingCosine;
      ulp_ |= row.ulp().has_value();
      numbers_ |= row.has_stats();
    }
  }

  std::vector<Column> columns() const {
    std::vector<Column> columns = {{.title = title_, .give = Column::Give::elide}};
    const auto add = [&](bool shown, Column column) {
      if (shown) columns.push_back(std::move(column));
    };
    add(grouped_, {.title = "n"});
    add(numbers_, {.title = "relative", .right = true});
    add(numbers_, {.title = "max abs", .right = true});
    add(cosine_, {.title = "cosine", .right = true});
    add(ulp_, {.title = "ULP", .right = true});
    add(true, {.title = "pattern", .give = Column::Give::wrap});
    return columns;
  }

  std::vector<std::string> cells(const ChangeRow& row) const {
    const bool one = row.members.size() == 1;
    const bool stats = row.has_stats();
    std::vector<std::string> cells = {one ? row.names[0] : name_template(row.names[0])};
    const auto add = [&](bool shown, std::string text) {
      if (shown) cells.push_back(std::move(text));
    };
    add(grouped_, one ? "" : numbers_or_count(row));
    add(numbers_, stats ? short_number(row.relative()) : "");
    // Otherwise only NaN or infinity differ.
    const bool finite = stats && (row.max_abs() > 0 || std::isfinite(row.relative()));
    add(numbers_, finite ? short_number(row.max_abs()) : "");
    add(cosine_, stats ? fmt::format("{:.3g}", row.cosine()) : "");
    add(ulp_, finite && row.ulp() ? grouped(*row.ulp()) : "");
    cells.push_back(row.pattern());
    return cells;
  }

 private:
  static std::string numbers_or_count(const ChangeRow& row) {
    const std::string numbers = numbers_of(row.names);
    return numbers.empty() ? quantity(row.names.size(), "tensor") : numbers;
  }

  std::string title_;
  bool grouped_ = false, numbers_ = false, cosine_ = false, ulp_ = false;
};

void change_table(const Report& report, const WeightPair& pair, Screen* screen) {
  std::vector<ChangeRow> rows = change_rows(report, pair, screen->all());
  if (rows.empty()) return;
  std::size_t left_out = 0;
  const std::size_t shown = screen->all() ? rows.size() : std::min(rows.size(), kChangedRows);
  for (std::size_t i = shown; i < rows.size(); ++i) left_out += rows[i].members.size();
  rows.resize(shown);
  const ChangeTable table(
      rows,
      report.weights.size() > 1 ? fmt::format("changed, {} to {}", pair.a, pair.b) : "changed",
      screen->width());
  std::vector<std::vector<std::string>> cells;
  for (const ChangeRow& row : rows) cells.push_back(table.cells(row));
  screen->blank();
  screen->table(Screen::kIndent, table.columns(), cells);
  if (left_out > 0) screen->line(Screen::kIndent, and_more(left_out));
  screen->blank();
}

}  // namespace

void changed_section(const Report& report, Screen* screen) {
  for (const WeightPair& pair : report.weights) change_table(report, pair, screen);
}

}  // namespace samebits
