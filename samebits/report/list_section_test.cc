#include "samebits/report/list_section.h"

#include <gmock/gmock.h>

#include "samebits/report/sample_report.h"

namespace samebits {
namespace {

TEST(ListSection, HasALineOfEachAndWhyItIsNotClean) {
  Report clean;
  clean.verdict = Verdict::clean;
  clean.subjects.push_back(sample_subject(
      "A", "a.pth", sample_checkpoint(CheckpointKind::state_dict, {"head.weight", "head.bias"})));
  Report broken;
  broken.subjects.push_back({.label = "A", .path = "b.pth"});
  broken.not_checked = {"b.pth: the file ends early"};
  const std::string text = render_list({list_row(clean), list_row(broken)}, 1, false, {});
  EXPECT_EQ(text,
            "2 paths: 1 clean, 1 unknown; 1 other file is no checkpoint\n"
            "\n"
            "           path   kind        tensors     size\n"
            "  clean    a.pth  state-dict        2  0 bytes\n"
            "  unknown  b.pth\n"
            "\n"
            "  b.pth\n"
            "  unknown   b.pth: the file ends early\n");
}

TEST(ListSection, EscapesNames) {
  Report report;
  report.subjects.push_back({.label = "A", .path = "\x1b[31mred"});
  report.not_checked = {"no"};
  EXPECT_THAT(render_list({list_row(report)}, 0, true, {}),
              testing::Not(testing::HasSubstr("\x1b")));
}

}  // namespace
}  // namespace samebits
