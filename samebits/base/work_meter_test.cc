#include "samebits/base/work_meter.h"

#include <gtest/gtest.h>

namespace samebits {
namespace {

TEST(WorkMeter, ShowsTheStepThatIsUnderWay) {
  EXPECT_EQ(seen_work().what, "");
  {
    WorkStep step("reading", 10);
    step.add(3);
    step.add(1);
    const WorkSeen seen = seen_work();
    EXPECT_EQ(seen.what, "reading");
    EXPECT_EQ(seen.done, 4U);
    EXPECT_EQ(seen.total, 10U);
  }
  EXPECT_EQ(seen_work().what, "");
}

TEST(WorkMeter, StepsInOneAnotherCountAsOne) {
  WorkStep outer("reading", 10);
  const std::uint64_t number = seen_work().step;
  {
    WorkStep inner("measuring", 5);
    inner.add(5);
  }
  const WorkSeen seen = seen_work();
  EXPECT_EQ(seen.what, "reading");
  EXPECT_EQ(seen.step, number);
  EXPECT_EQ(seen.done, 5U);
  EXPECT_EQ(seen.total, 15U);
}

TEST(WorkMeter, AnotherStepBeginsAtNothing) {
  std::uint64_t number = 0;
  {
    WorkStep step("reading", 4);
    step.add(4);
    number = seen_work().step;
  }
  WorkStep step("measuring", 7);
  EXPECT_EQ(seen_work().done, 0U);
  EXPECT_GT(seen_work().step, number);
}

}  // namespace
}  // namespace samebits
