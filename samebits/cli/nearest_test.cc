#include "samebits/cli/nearest.h"

#include <gtest/gtest.h>

namespace samebits {
namespace {

const std::vector<std::string> kCommands = {"inspect", "diff", "explain", "check", "resume", "run"};

TEST(Nearest, FindsTheWordThatWasMeant) {
  EXPECT_EQ(nearest("inpsect", kCommands), "inspect");
  EXPECT_EQ(nearest("dif", kCommands), "diff");
  EXPECT_EQ(nearest("explian", kCommands), "explain");
  EXPECT_EQ(nearest("chekc", kCommands), "check");
}

TEST(Nearest, GuessesNothingFromAnotherWord) {
  EXPECT_EQ(nearest("frobnicate", kCommands), "");
  EXPECT_EQ(nearest("model.pth", kCommands), "");
  EXPECT_EQ(nearest("", kCommands), "");
  EXPECT_EQ(nearest(std::string(1000, 'x'), kCommands), "");
}

}  // namespace
}  // namespace samebits
