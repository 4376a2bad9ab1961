#include "samebits/cli/progress.h"

#include <gtest/gtest.h>

namespace samebits {
namespace {

TEST(Progress, SaysHowFarAndHowLong) {
  const WorkSeen seen = {.what = "comparing bytes", .step = 1, .done = 25, .total = 100};
  EXPECT_EQ(progress_text("reading hf", seen, 9, 5),
            "reading hf: comparing bytes, 25 %, 15 s left");
}

TEST(Progress, ForetellsNothingOfAStepThatHasJustBegun) {
  const WorkSeen seen = {.what = "comparing bytes", .step = 1, .done = 25, .total = 100};
  EXPECT_EQ(progress_text("reading hf", seen, 9, 0.5), "reading hf: comparing bytes, 25 %");
  const WorkSeen none = {.what = "comparing bytes", .step = 1, .done = 0, .total = 100};
  EXPECT_EQ(progress_text("reading hf", none, 9, 5), "reading hf: comparing bytes, 0 %");
}

TEST(Progress, NeverSaysMoreThanAll) {
  const WorkSeen seen = {.what = "comparing bytes", .step = 1, .done = 120, .total = 100};
  EXPECT_EQ(progress_text("x", seen, 9, 5), "x: comparing bytes, 100 %, 0 s left");
}

TEST(Progress, CountsSecondsWhereNothingIsKnown) {
  EXPECT_EQ(progress_text("reading hf", {}, 3, 3), "reading hf: 3 s");
}

}  // namespace
}  // namespace samebits
