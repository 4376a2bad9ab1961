#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "samebits/report/sample_report.h"
#include "samebits/report/sections.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

using testing::HasSubstr;
using testing::Not;

Segment strip_block(std::int64_t number, SegmentStatus status, double relative = -1) {
  Segment made{.name = "vit.layers." + std::to_string(number),
               .kind = SegmentKind::block,
               .stack = "vit.layers",
               .number = number,
               .status = status};
  if (relative >= 0) made.relative = relative;
  return made;
}

Report strip_report(std::vector<Segment> segments) {
  Report report;
  report.subjects = {
      sample_subject("A", "a", sample_checkpoint(CheckpointKind::state_dict, {"x"})),
      sample_subject("B", "b", sample_checkpoint(CheckpointKind::state_dict, {"x"}))};
  report.weights = {sample_pair("A", "B", WeightsVerdict::different, 1)};
  report.weights[0].segments = std::move(segments);
  return report;
}

std::string strip_of(const Report& report, const TerminalStyle& style = {}) {
  Screen screen(style);
  strip_section(report, &screen);
  return screen.take();
}

TEST(Strip, GivesEachBlockOneMarkAndExplainsThoseThatOccur) {
  std::vector<Segment> segments = {
      {.name = "vit.embeddings", .kind = SegmentKind::embeddings},
      strip_block(0, SegmentStatus::identical),
      strip_block(1, SegmentStatus::changed, 0.0004),
      strip_block(2, SegmentStatus::changed, 0.05),
      strip_block(3, SegmentStatus::only_b),
      {.name = "classifier", .kind = SegmentKind::head, .status = SegmentStatus::unlike}};
  EXPECT_EQ(strip_of(strip_report(segments)),
            "  blocks    embeddings [=]   layers 0-3 [=.+B]   classifier [/]\n"
            "            = equal   . relative change below 0.001\n"
            "            + relative change 0.01 to 0.1   B only in B\n"
            "            / another shape, type, name or digest\n");
}

TEST(Strip, IsNotShownWhereAllIsEqualOrTheArchitecturesAreTwo) {
  EXPECT_EQ(strip_of(strip_report({strip_block(0, SegmentStatus::identical),
                                   strip_block(1, SegmentStatus::identical)})),
            "");
  Report unlike = strip_report(
      {strip_block(0, SegmentStatus::only_a), strip_block(1, SegmentStatus::changed, 2)});
  EXPECT_NE(strip_of(unlike), "");
  Finding finding = sample_finding("weights.missing", Role::cause, Proof::observed, "two");
  finding.subjects = {"A", "B"};
  finding.evidence["architectures"] = "vit and gpt2";
  unlike.findings = {finding};
  EXPECT_EQ(strip_of(unlike), "");
}

// A mark for several blocks is that of the worst of them.
TEST(Strip, FoldsModelsOfManyBlocks) {
  std::vector<Segment> segments;
  for (std::int64_t n = 0; n < 300; ++n)
    segments.push_back(strip_block(n, n == 250 ? SegmentStatus::changed : SegmentStatus::identical,
                                   n == 250 ? 0.5 : -1));
  for (const int width : {60, 80, 200}) {
    const std::string text = strip_of(strip_report(segments), {.width = width});
    const std::string first = text.substr(0, text.find('\n'));
    EXPECT_LE(columns(first), static_cast<std::size_t>(width));
    EXPECT_THAT(first, HasSubstr("in a mark ["));
    EXPECT_EQ(std::count(first.begin(), first.end(), '*'), 1) << first;
  }
}

TEST(Strip, LeavesRoomForNumbersThatAModelDoesNotHave) {
  EXPECT_THAT(strip_of(strip_report({strip_block(0, SegmentStatus::identical),
                                     strip_block(2, SegmentStatus::changed, 3),
                                     strip_block(4, SegmentStatus::identical)})),
              HasSubstr("layers 0-4 [= # =]"));
}

TEST(Strip, TellsStacksOfOneNameApart) {
  std::vector<Segment> segments = {strip_block(0, SegmentStatus::identical),
                                   strip_block(0, SegmentStatus::changed, 3)};
  segments[0].stack = "encoder.layers";
  segments[1].stack = "decoder.layers";
  const std::string text = strip_of(strip_report(segments));
  EXPECT_THAT(text, HasSubstr("encoder.layers 0 [=]   decoder.layers 0 [#]"));
}

TEST(Strip, IsColouredOnlyWhenAsked) {
  const Report report = strip_report(
      {strip_block(0, SegmentStatus::identical), strip_block(1, SegmentStatus::changed, 3)});
  EXPECT_THAT(strip_of(report), Not(HasSubstr("\x1b")));
  EXPECT_THAT(strip_of(report, {.color = true}),
              HasSubstr("[\x1b[1;32m=\x1b[0m\x1b[1;31m#\x1b[0m]"));
}

TEST(Strip, EscapesNamesOfFiles) {
  std::vector<Segment> segments = {strip_block(0, SegmentStatus::changed, 3),
                                   {.name = "\x1b[31m.x\n"}};
  segments[0].stack = "a\x1b[2J";
  const std::string text = strip_of(strip_report(segments));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, Not(HasSubstr("x\n]")));
}

}  // namespace
}  // namespace samebits
