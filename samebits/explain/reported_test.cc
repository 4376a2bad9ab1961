#include "samebits/explain/reported.h"

#include <gmock/gmock.h>

namespace samebits {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::SizeIs;

TEST(Shorten, AHundredLinesStay) {
  std::vector<std::string> lines(100, "the values of x could not be read");
  shorten(&lines);
  EXPECT_THAT(lines, SizeIs(100));
}

TEST(Shorten, OfManyAlikeSomeAreKeptAndTheRestIsCounted) {
  std::vector<std::string> lines(40'000, "the values of x could not be read");
  lines.emplace_back("outputs: no forward pass was run");
  shorten(&lines);
  EXPECT_THAT(lines, SizeIs(22));
  EXPECT_THAT(lines, Contains(HasSubstr("outputs:")));
  EXPECT_EQ(lines.back(), "39980 more lines like these");
}

}  // namespace
}  // namespace samebits
