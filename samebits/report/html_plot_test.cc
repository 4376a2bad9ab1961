#include "samebits/report/html_plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "samebits/report/html_parts.h"
#include "samebits/report/segment_marks.h"

namespace samebits {
namespace {

using testing::HasSubstr;
using testing::Not;

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}

TEST(ChangeHistogram, HasABarForEachHalfDecadeThatOccurs) {
  const std::string svg = change_histogram({0.02, 0.025, 0.5, 2e-7, 20});
  EXPECT_EQ(count_of(svg, "<rect class=\"bar\""), 4U);
  EXPECT_THAT(svg, HasSubstr(">10</text>"));
  EXPECT_THAT(svg, HasSubstr("<title>0.01 to 0.032: 2 tensors</title>"));
  EXPECT_THAT(svg, HasSubstr("<title>0.32 to 1: 1 tensor</title>"));
  EXPECT_THAT(svg, Not(HasSubstr("no number")));
}

TEST(ChangeHistogram, SetsWhatHasNoNumberApart) {
  const double infinite = std::numeric_limits<double>::infinity();
  const std::string svg = change_histogram({infinite, infinite});
  EXPECT_EQ(count_of(svg, "<rect class=\"bar\""), 1U);
  EXPECT_THAT(svg, HasSubstr("<title>from zeros, or not finite: 2 tensors</title>"));
  for (const char* broken : {"nan", "inf\"", "-inf"}) EXPECT_THAT(svg, Not(HasSubstr(broken)));
}

TEST(DivergencePlot, IsDrawnOfNoPointsAndOfThousands) {
  Divergence divergence{.a = "A", .b = "B", .points = {}};
  EXPECT_EQ(count_of(divergence_plot(divergence), "<circle"), 0U);
  for (int i = 0; i < 5000; ++i)
    divergence.points.push_back({.a = "A", .b = "B", .point = "p<" + std::to_string(i)});
  const std::string svg = divergence_plot(divergence);
  EXPECT_EQ(count_of(svg, "<circle class=\"equal\""), 5000U);
  EXPECT_THAT(svg, HasSubstr("from p&lt;0 to p&lt;4999"));
  // Numbers under the axis: the first, and those that have room.
  EXPECT_LE(count_of(svg, "text-anchor=\"middle\""), 25U);
  EXPECT_THAT(svg, HasSubstr(">5000</text>"));
}

TEST(ByteMap, ShowsWhatMostOfEachPartIsFor) {
  const std::string svg = byte_map({{0, 0, 100, ByteUse::structure},
                                    {0, 100, 1000, ByteUse::weights},
                                    {0, 1000, 1001, ByteUse::padding}});
  EXPECT_EQ(count_of(svg, "<rect"), 2U);
  EXPECT_THAT(svg, HasSubstr("<title>structure</title>"));
  EXPECT_THAT(svg, HasSubstr("<title>weights</title>"));
  EXPECT_EQ(count_of(byte_map({{0, 0, 1, ByteUse::optimizer}}), "<rect"), 1U);
}

TEST(MarkLegend, HoldsEachMarkOnceWithTheLeastChangeFirst) {
  MarkLegend legend;
  for (const char mark : {'A', '#', '=', '.', '#'}) legend.add({.mark = mark, .meaning = ""});
  std::string order;
  for (const SegmentMark& each : legend.marks()) order += each.mark;
  EXPECT_EQ(order, "=.#A");
}

TEST(HtmlParts, EscapeWhatFilesHold) {
  EXPECT_EQ(html_text("<a href=\"x\">'&\x1b"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;\\x1b");
  const std::string table =
      html_table({.caption = "<c>", .titles = {"#<n>"}, .rows = html_row({html_number(1, "<1>")})});
  EXPECT_EQ(count_of(table, "&lt;c&gt;"), 2U);
  EXPECT_THAT(table, HasSubstr("<th scope=\"col\" class=\"number\">&lt;n&gt;</th>"));
  EXPECT_THAT(table, HasSubstr("data-key=\"1\">&lt;1&gt;</td>"));
}

TEST(HtmlParts, AreEmptyWhereThereIsNothing) {
  EXPECT_EQ(html_table({.caption = "none", .titles = {"a"}, .rows = ""}), "");
  EXPECT_EQ(html_section("id", "none", ""), "");
  EXPECT_EQ(html_list({}), "");
  EXPECT_EQ(html_name_groups("none", {}), "");
  EXPECT_EQ(html_facts("none", {{"what", ""}}), "");
}

TEST(HtmlParts, FoldALongCellAndKeepAllOfIt) {
  const std::string text = std::string(300, 'x') + "end";
  const std::string cell = html_cell(text);
  EXPECT_THAT(cell, HasSubstr("<details><summary>xxx"));
  EXPECT_THAT(cell, HasSubstr(text + "</details>"));
}

TEST(HtmlParts, GroupNamesAndNameEachOfThem) {
  std::vector<std::string> names;
  for (int i = 0; i < 30; ++i) names.push_back("layers." + std::to_string(i) + ".weight");
  names.emplace_back("head.weight");
  const std::string html = html_name_groups("Lost", names);
  EXPECT_THAT(html, HasSubstr("<summary>layers.{n}.weight   30 tensors, n = 0-29</summary>"));
  for (const std::string& name : names) EXPECT_EQ(count_of(html, "<code>" + name + "</code>"), 1U);
}

}  // namespace
}  // namespace samebits
