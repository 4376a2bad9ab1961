#include "samebits/report/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace samebits {
namespace {

using testing::ElementsAre;

TEST(Printable, KeepsUtf8) { EXPECT_EQ(printable("größe 層 😀"), "größe 層 😀"); }

TEST(Printable, EscapesWhatATerminalActsOn) {
  EXPECT_EQ(printable("a\x1b[31mb\a"), "a\\x1b[31mb\\x07");
  EXPECT_EQ(printable("a\nb\rc\td"), "a\\nb\\rc\\td");
  EXPECT_EQ(printable(std::string_view("\0\x7f", 2)), "\\x00\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\x9b31m");  // C1: the one-character CSI
}

TEST(Printable, EscapesInvisibleAndReorderingCharacters) {
  EXPECT_EQ(printable("a\u202e"
                      "b\u200bc\u2028d"),
            "a\\u{202e}b\\u{200b}c\\u{2028}d");
}

TEST(Printable, EscapesBytesThatAreNoUtf8) {
  EXPECT_EQ(printable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(printable("\xc0\x80"), "\\xc0\\x80");           // overlong
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // surrogate
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
}

TEST(Columns, CountWideCharactersTwiceAndMarksNot) {
  EXPECT_EQ(columns("abc"), 3u);
  EXPECT_EQ(columns("層"), 2u);
  EXPECT_EQ(columns("e\u0301"), 1u);
}

TEST(ElideMiddle, KeepsBothEnds) {
  EXPECT_EQ(elide_middle("vit.encoder.layer.0.weight", 13), "vit.e...eight");
  EXPECT_EQ(elide_middle("short", 5), "short");
  EXPECT_EQ(elide_middle("層層層層", 7), "層...層");
}

TEST(Wrap, BreaksBetweenPhrasesBeforeWords) {
  EXPECT_THAT(wrap("one two   three four   five", 12),
              ElementsAre("one two", "three four", "five"));
}

TEST(Wrap, BreaksBetweenWordsWhereAPhraseIsTooLong) {
  EXPECT_THAT(wrap("the quick brown fox jumps", 10),
              ElementsAre("the quick", "brown fox", "jumps"));
}

TEST(Wrap, BreaksInsideAWordThatIsTooLong) {
  EXPECT_THAT(wrap("abcdefghijklmnop", 8), ElementsAre("abcdefgh", "ijklmnop"));
}

TEST(Wrap, NeverBreaksInsideANumber) {
  EXPECT_THAT(wrap("there are 307 200 more", 13), ElementsAre("there are", "307 200 more"));
}

TEST(Wrap, OfNothingIsOneEmptyLine) { EXPECT_THAT(wrap("", 20), ElementsAre("")); }

TEST(Grouped, SeparatesThousandsByASpace) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(307200), "307 200");
  EXPECT_EQ(grouped(1234567), "1 234 567");
}

TEST(ShortNumber, HasThreeSignificantDigits) {
  EXPECT_EQ(short_number(1.1599), "1.16");
  EXPECT_EQ(short_number(4.0e-7), "4e-07");
  EXPECT_EQ(short_number(0), "0");
  EXPECT_EQ(short_number(-12345.4), "-12 345");
  EXPECT_EQ(short_number(std::numeric_limits<double>::quiet_NaN()), "NaN");
  EXPECT_EQ(short_number(-std::numeric_limits<double>::infinity()), "-Infinity");
}

TEST(SizeText, UsesPowersOfTen) {
  EXPECT_EQ(size_text(1), "1 byte");
  EXPECT_EQ(size_text(812), "812 bytes");
  EXPECT_EQ(size_text(447631360), "447.6 MB");
  EXPECT_EQ(size_text(999'960'000), "1.0 GB");
  EXPECT_EQ(size_text(std::numeric_limits<std::uint64_t>::max()), "18.4 EB");
}

TEST(Percent, ClaimsAllOrNothingOnlyWhereItIsExact) {
  EXPECT_EQ(percent(5, 5), "100 %");
  EXPECT_EQ(percent(99999, 100000), "> 99.9 %");
  EXPECT_EQ(percent(1, 3), "33.3 %");
  EXPECT_EQ(percent(1, 100000), "< 0.1 %");
  EXPECT_EQ(percent(0, 5), "0 %");
  EXPECT_EQ(percent(0, 0), "0 %");
}

TEST(Percent, IsANumberFromATenthToAllButATenth) {
  EXPECT_EQ(percent(1, 1000), "0.1 %");
  EXPECT_EQ(percent(999, 1'000'000), "< 0.1 %");
  EXPECT_EQ(percent(1, 200), "0.5 %");
  EXPECT_EQ(percent(99, 100), "99.0 %");
  EXPECT_EQ(percent(999, 1000), "99.9 %");
  EXPECT_EQ(percent(999'001, 1'000'000), "> 99.9 %");
}

TEST(Quantity, AddsAnSUnlessThereIsOne) {
  EXPECT_EQ(quantity(1, "tensor"), "1 tensor");
  EXPECT_EQ(quantity(1334, "tensor"), "1 334 tensors");
}

}  // namespace
}  // namespace samebits
