#include "samebits/report/name_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace samebits {
namespace {

using testing::ElementsAre;

std::vector<std::string> texts(const std::vector<PrefixGroup>& groups) {
  std::vector<std::string> out;
  for (const PrefixGroup& group : groups) {
    out.push_back(group.text + " " + std::to_string(group.members.size()));
  }
  return out;
}

TEST(NameTemplate, ReplacesWholeNumbersOnly) {
  EXPECT_EQ(name_template("blocks.12.norm1.weight"), "blocks.{n}.norm1.weight");
  EXPECT_EQ(name_template("stages.2.layers.5.norm.weight"), "stages.{n}.layers.{m}.norm.weight");
  EXPECT_EQ(name_template("0"), "{n}");
  EXPECT_EQ(name_template(""), "");
  EXPECT_EQ(name_template("a..b."), "a..b.");
}

TEST(GroupByPrefix, SaysWhichNumbersOccur) {
  const auto groups = group_by_prefix({"b.0.w", "cls", "b.2.w", "b.1.w"}, 4);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].text, "b.{n}.w");
  EXPECT_EQ(groups[0].numbers, "n = 0-2");
  EXPECT_THAT(groups[0].members, ElementsAre(0, 2, 3));
  EXPECT_EQ(groups[1].text, "cls");
}

TEST(GroupByPrefix, ListsNumbersWithGaps) {
  EXPECT_EQ(group_by_prefix({"b.0.w", "b.7.w", "b.7.w"}, 4)[0].numbers, "n = 0, 7");
}

TEST(GroupByPrefix, SaysNothingOfSeveralNumbers) {
  EXPECT_EQ(group_by_prefix({"b.0.w.1", "b.1.w.1"}, 4)[0].numbers, "");
}

TEST(GroupByPrefix, KeepsASingleNameWithItsNumber) {
  EXPECT_EQ(group_by_prefix({"b.3.w"}, 4)[0].text, "b.3.w");
}

TEST(GroupByPrefix, StopsSplittingAtAStatedDepth) {
  const std::string deep = "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a";
  EXPECT_THAT(texts(group_by_prefix({deep + ".x", deep + ".y"}, 4)),
              ElementsAre("a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.* 2"));
}

TEST(GroupByPrefix, SplitsTheLargestWhileThePartsFit) {
  const std::vector<std::string> names = {"vit.emb",        "vit.layers.0.a", "vit.layers.0.b",
                                          "vit.layers.1.a", "vit.layers.1.b", "head.weight"};
  EXPECT_THAT(texts(group_by_prefix(names, 2)), ElementsAre("vit.* 5", "head.weight 1"));
  EXPECT_THAT(texts(group_by_prefix(names, 3)),
              ElementsAre("vit.emb 1", "vit.layers.{n}.* 4", "head.weight 1"));
  EXPECT_THAT(texts(group_by_prefix(names, 9)), ElementsAre("vit.emb 1", "vit.layers.{n}.a 2",
                                                            "vit.layers.{n}.b 2", "head.weight 1"));
}

TEST(GroupByPrefix, NameThatIsAPrefixOfAnotherStaysApart) {
  EXPECT_THAT(texts(group_by_prefix({"a", "a.b"}, 4)), ElementsAre("a 1", "a.b 1"));
}

TEST(GroupByPrefix, OfNothingIsNothing) { EXPECT_TRUE(group_by_prefix({}, 4).empty()); }

}  // namespace
}  // namespace samebits
