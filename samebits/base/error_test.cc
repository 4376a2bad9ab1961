#include "samebits/base/error.h"

#include <memory>

#include <gtest/gtest.h>

namespace samebits {
namespace {

TEST(Error, TextHasEveryPartThatIsThere) {
  const Error error{.code = ErrorCode::truncated,
                    .what = "the record data/3 is truncated",
                    .file = "whole.pth",
                    .offset = 1234,
                    .expected = "64 bytes",
                    .found = "12",
                    .hint = "Download it again"};
  EXPECT_EQ(to_string(error),
            "whole.pth: byte 1234: the record data/3 is truncated (expected 64 bytes, found 12). "
            "Download it again");
}

TEST(Error, TextLeavesOutWhatIsNotThere) {
  EXPECT_EQ(to_string({.what = "no"}), "no");
  EXPECT_EQ(to_string({.what = "no", .expected = "yes"}), "no (expected yes)");
  EXPECT_EQ(to_string({.what = "no", .found = "maybe"}), "no (found maybe)");
  EXPECT_EQ(to_string({.what = "no", .offset = 0}), "byte 0: no");
}

TEST(Error, EveryCodeHasAName) {
  EXPECT_STREQ(error_code_name(ErrorCode::io), "io");
  EXPECT_STREQ(error_code_name(ErrorCode::truncated), "truncated");
  EXPECT_STREQ(error_code_name(ErrorCode::malformed), "malformed");
  EXPECT_STREQ(error_code_name(ErrorCode::inconsistent), "inconsistent");
  EXPECT_STREQ(error_code_name(ErrorCode::unsupported), "unsupported");
  EXPECT_STREQ(error_code_name(ErrorCode::limit), "limit");
  EXPECT_STREQ(error_code_name(ErrorCode::usage), "usage");
}

Result<std::unique_ptr<int>> number(bool good) {
  if (!good) return fail({.code = ErrorCode::usage, .what = "bad"});
  return std::make_unique<int>(7);
}
Result<int> twice(bool first, bool second) {
  SAMEBITS_TRY(const std::unique_ptr<int> a, number(first));
  SAMEBITS_TRY_VOID(number(second));
  return 2 * *a;
}

TEST(Error, TryTakesTheValue) { EXPECT_EQ(twice(true, true).value(), 14); }

TEST(Error, TryReturnsTheError) {
  EXPECT_EQ(twice(false, true).error().what, "bad");
  EXPECT_EQ(twice(true, false).error().what, "bad");
}

TEST(ErrorDeathTest, AFailedCheckEndsTheProgramAndNamesTheCondition) {
  EXPECT_DEATH(SAMEBITS_CHECK(1 + 1 == 3), "1 \\+ 1 == 3 is false");
}

}  // namespace
}  // namespace samebits
