#include <fmt/format.h>

#include <algorithm>

#include "samebits/compare/difference_counts.h"
#include "samebits/explain/module_map.h"
#include "samebits/report/html_parts.h"
#include "samebits/report/html_plot.h"
#include "samebits/report/html_sections.h"
#include "samebits/report/segment_marks.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

constexpr std::size_t kMostRows = 20000;  // of the table of tensors
constexpr std::size_t kMostHistograms = 40;
constexpr std::size_t kNumbersFit = 12;  // blocks up to which a map shows numbers, else marks

std::string heading_of(const Report& report, const WeightPair& pair) {
  if (report.weights.size() < 2) return "";
  return fmt::format("<h3>{} and {}</h3>\n", html_text(pair.a), html_text(pair.b));
}

/// A class of the style sheet: its colour.
const char* mark_class(const SegmentMark& mark) {
  switch (mark.mark) {
    case '=': return "m0";
    case '~': return "m1";
    case '.': return "m1";
    case ':': return "m2";
    case '+': return "m3";
    case '*': return "m4";
    case '#': return "m5";
    case 'x': return "m5";
    case '/': return "m5";
    case '!': return "m5";
    default: return "alone";
  }
}

std::string mark_legend(const MarkLegend& legend) {
  std::string items;
  for (const SegmentMark& each : legend.marks())
    items += fmt::format("<li><span class=\"mark {}\" aria-hidden=\"true\">{}</span> {}</li>",
                         mark_class(each), html_text(std::string(1, each.mark)),
                         html_text(each.meaning));
  return "<ul class=\"legend\">" + items + "</ul>\n";
}

/// What a mark stands for, in words: "vit.layers.3: relative change 0.1 to 1, 0.152".
std::string mark_words(const Segment& segment, const SegmentMark& mark) {
  std::string text = segment.name + ": " + mark.meaning;
  if (segment.status == SegmentStatus::changed && segment.relative)
    text += fmt::format(" ({})", short_number(*segment.relative));
  return text;
}

std::string mark_item(const Segment& segment, const SegmentMark& mark) {
  return fmt::format(
      "<li class=\"mark {}\" title=\"{}\"><span aria-hidden=\"true\">{}</span><span "
      "class=\"spoken\">{}</span></li>",
      mark_class(mark), html_text(mark_words(segment, mark)), html_text(std::string(1, mark.mark)),
      html_text(mark_words(segment, mark)));
}

/// A stack of blocks, or one module, with its name.
std::string strip_part(const WeightPair& pair, std::size_t begin, std::size_t end,
                       MarkLegend* legend) {
  const Segment& first = pair.segments[begin];
  std::string name = first.name;
  if (first.kind == SegmentKind::block)
    name = fmt::format("{}{}{}", first.stack, first.stack.empty() ? "" : " ",
                       block_numbers(pair, begin, end));
  std::string items;
  for (std::size_t i = begin; i < end; ++i) {
    const SegmentMark mark = segment_mark(pair, pair.segments[i]);
    legend->add(mark);
    items += mark_item(pair.segments[i], mark);
  }
  return fmt::format(
      "<div class=\"part\"><span class=\"part-name\">{0}</span><ol aria-label=\"{0}\">{1}</ol>"
      "</div>\n",
      html_text(name), items);
}

std::string strip_of(const WeightPair& pair) {
  MarkLegend legend;
  std::string parts;
  const std::vector<Segment>& all = pair.segments;
  for (std::size_t i = 0; i < all.size();) {
    std::size_t end = i + 1;
    while (all[i].kind == SegmentKind::block && end < all.size() && all[end].kind == all[i].kind &&
           all[end].stack == all[i].stack)
      ++end;
    parts += strip_part(pair, i, end, &legend);
    i = end;
  }
  return "<div class=\"strip\">\n" + parts + "</div>\n" + mark_legend(legend);
}

std::string map_cell(const WeightPair& pair, const Segment& cell, bool numbers,
                     MarkLegend* legend) {
  if (cell.tensors == 0) return "<td class=\"mark none\" title=\"nothing compared\">-</td>";
  const SegmentMark mark = segment_mark(pair, cell);
  legend->add(mark);
  const bool changed = cell.status == SegmentStatus::changed && cell.relative;
  const std::string number = changed ? fmt::format("{:.2g}", *cell.relative) : mark.meaning;
  const std::string words = html_text(mark_words(cell, mark));
  if (numbers && changed)
    return fmt::format("<td class=\"mark {}\" title=\"{}\">{}</td>", mark_class(mark), words,
                       html_text(number));
  return fmt::format(
      "<td class=\"mark {}\" title=\"{}\"><span aria-hidden=\"true\">{}</span><span "
      "class=\"spoken\">{}</span></td>",
      mark_class(mark), words, html_text(std::string(1, mark.mark)), html_text(number));
}

std::string map_table(const WeightPair& pair, const ModuleMap& map, MarkLegend* legend) {
  const bool numbers = map.blocks.size() <= kNumbersFit;
  std::string head = "<th scope=\"col\">module</th>";
  for (const std::int64_t block : map.blocks)
    head += fmt::format("<th scope=\"col\" class=\"block\">{}</th>", block);
  std::string rows;
  for (std::size_t row = 0; row < map.modules.size(); ++row) {
    rows += "<tr><th scope=\"row\">" + html_text(map.modules[row]) + "</th>";
    for (std::size_t block = 0; block < map.blocks.size(); ++block)
      rows += map_cell(pair, map.cell(row, block), numbers, legend);
    rows += "</tr>\n";
  }
  return fmt::format(
      "<div class=\"wide\" role=\"group\" aria-label=\"{0}\" tabindex=\"0\"><table "
      "class=\"map\"><caption>{0}</caption><thead><tr>{1}</tr></thead><tbody>\n{2}</tbody></table>"
      "</div>\n",
      html_text(map.stack), head, rows);
}

/// One pair's table of tensors.
class TensorTable {
 public:
  TensorTable(const Report& report, const WeightPair& pair)
      : pair_(pair), a_(subject_of(report, pair.a)), b_(subject_of(report, pair.b)) {}

  std::string html() {
    std::string rows;
    const std::vector<TensorMatch>& matches = pair_.comparison.matches;
    for (std::size_t i = 0; i < std::min(matches.size(), kMostRows); ++i) rows += row(matches[i]);
    const auto add_lone = [&](const std::vector<std::string>& names, bool in_a) {
      for (const std::string& name : names) {
        const std::string where = "only in " + (in_a ? pair_.a : pair_.b);
        rows += rest_of({html_cell(in_a ? name : "", "name"), html_cell(in_a ? "" : name, "name"),
                         html_cell(where)});
      }
    };
    add_lone(pair_.comparison.only_a, true);
    add_lone(pair_.comparison.only_b, false);
    std::string left_out;
    if (matches.size() > kMostRows)
      left_out = fmt::format("<p>{} more tensors are not shown here.</p>\n",
                             grouped(matches.size() - kMostRows));
    return html_fold(
        fmt::format("Every tensor of {} and {}: {}, {}", pair_.a, pair_.b,
                    quantity(matches.size(), "pair"),
                    weights_verdict_name(pair_.comparison.verdict)),
        html_table({.caption = "Every tensor, the largest change first",
                    .titles = {"in " + pair_.a, "in " + pair_.b, "how", "#differing", "#up to",
                               "#relative", "elements by size of difference"},
                    .rows = rows,
                    .interactive = true}) +
            left_out);
  }

 private:
  static std::string rest_of(std::vector<std::string> cells) {
    cells.resize(7, html_cell(""));
    return html_row(cells);
  }

  std::string row(const TensorMatch& match) {
    const std::string kind = match_kind_name(match.kind);
    std::vector<std::string> cells = {
        html_cell(names(a_, match.a), "name"), html_cell(names(b_, match.b), "name"),
        html_cell(match.how.empty() ? kind : kind + ": " + match.how)};
    if (!match.stats) return rest_of(cells);
    const TensorStats& stats = *match.stats;
    cells.push_back(html_number(static_cast<double>(stats.differing),
                                percent(stats.differing, stats.elements)));
    cells.push_back(html_number(stats.max_abs, short_number(stats.max_abs)));
    cells.push_back(html_number(stats.relative_norm, short_number(stats.relative_norm)));
    cells.push_back("<td>" + histogram(match) + "</td>");
    return html_row(cells);
  }

  static std::string names(const Subject& subject, const std::vector<std::uint32_t>& indexes) {
    std::string text;
    for (const std::uint32_t index : indexes)
      text += (text.empty() ? "" : ", ") + weight_name(subject, index);
    return text;
  }

  std::string histogram(const TensorMatch& match) {
    if (match.a.size() != 1 || match.b.size() != 1 || shown_ == kMostHistograms) return "";
    const ValuePair values{weight_entry(a_, match.a[0]).view, weight_entry(b_, match.b[0]).view};
    if (!have_numbers(values) || values.a.numel() != values.b.numel()) return "";
    if (!is_floating(values.a.dtype()) || !is_floating(values.b.dtype())) return "";
    ++shown_;
    const DifferenceCounts counts = count_differences(values);
    return difference_histogram(counts.counts, counts.lowest);
  }

  const WeightPair& pair_;
  const Subject& a_;
  const Subject& b_;
  std::size_t shown_ = 0;
};

std::string rules_of(const WeightPair& pair) {
  std::string rows;
  const auto shown = [](const std::string& part) { return part.empty() ? "(nothing)" : part; };
  for (const RenameRule& rule : pair.comparison.rules)
    rows += html_row({html_cell(shown(rule.from), "name"), html_cell(shown(rule.to), "name"),
                      html_number(static_cast<double>(rule.count), grouped(rule.count))});
  return html_table({.caption = "The renaming, as rules",
                     .titles = {"in " + pair.a, "in " + pair.b, "#tensors"},
                     .rows = rows});
}

std::vector<std::string> summaries_of(const WeightComparison& found) {
  std::vector<std::string> lines;
  for (const Exchange& exchange : found.exchanges) lines.push_back(exchange.summary);
  for (const TieDifference& tie : found.ties) lines.push_back(tie.summary);
  return lines;
}

}  // namespace

std::string html_strip(const Report& report) {
  std::string body;
  for (const WeightPair& pair : report.weights) {
    if (has_strip(report, pair)) body += heading_of(report, pair) + strip_of(pair);
  }
  return body;
}

std::string html_module_maps(const Report& report) {
  std::string body;
  for (const WeightPair& pair : report.weights) {
    if (!has_strip(report, pair)) continue;
    MarkLegend legend;
    std::string tables;
    for (const ModuleMap& map : module_maps(report, pair)) tables += map_table(pair, map, &legend);
    if (!tables.empty())
      body += heading_of(report, pair) +
              fmt::format(
                  "<p>A column for each block, a row for each module: the relative change, "
                  "|{} - {}| / |{}|, of those of its tensors that differ, taken together.</p>\n",
                  html_text(pair.b), html_text(pair.a), html_text(pair.a)) +
              tables + mark_legend(legend);
  }
  return body;
}

std::string html_changes(const Report& report) {
  std::string body;
  for (const WeightPair& pair : report.weights) {
    std::vector<double> changes;
    for (const TensorMatch& match : pair.comparison.matches) {
      if (match.stats && match.stats->relative_norm > 0)
        changes.push_back(match.stats->relative_norm);
    }
    if (changes.size() < 2) continue;
    body += heading_of(report, pair) +
            fmt::format(
                "<figure><figcaption>{} with other values, by their relative change, |{} - "
                "{}| / |{}|</figcaption><div class=\"wide\" role=\"group\" aria-label=\"Plot "
                "of the changes\" tabindex=\"0\">{}</div></figure>\n",
                quantity(changes.size(), "tensor"), html_text(pair.b), html_text(pair.a),
                html_text(pair.a), change_histogram(changes));
  }
  return body;
}

std::string html_weights(const Report& report) {
  std::string body;
  for (const WeightPair& pair : report.weights) {
    const WeightComparison& found = pair.comparison;
    body += heading_of(report, pair) + html_list(summaries_of(found)) + rules_of(pair) +
            html_name_groups("Only in " + pair.a, found.only_a) +
            html_name_groups("Only in " + pair.b, found.only_b) + TensorTable(report, pair).html();
  }
  return body;
}

}  // namespace samebits
