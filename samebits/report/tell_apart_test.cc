#include "samebits/report/tell_apart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "samebits/report/text.h"

namespace samebits {
namespace {

using testing::ElementsAre;

TEST(TellApart, LeavesWhatFits) {
  EXPECT_THAT(tell_apart({"a.b", "a.c"}, 8), ElementsAre("a.b", "a.c"));
}

TEST(TellApart, CutsNoMoreThanItMustOfTheBeginningThatAllShare) {
  const std::vector<std::string> names = {"vit.encoder.layer.{n}.attention.query.weight",
                                          "vit.encoder.layer.{n}.attention.value.weight"};
  EXPECT_THAT(tell_apart(names, 40), ElementsAre("vit.encoder.layer.{n}...query.weight",
                                                 "vit.encoder.layer.{n}...value.weight"));
  EXPECT_THAT(tell_apart(names, 24), ElementsAre("vit...query.weight", "vit...value.weight"));
  EXPECT_THAT(tell_apart(names, 16), ElementsAre("...query.weight", "...value.weight"));
}

TEST(TellApart, CutsTheMiddleOfNamesThatShareNothing) {
  EXPECT_THAT(
      tell_apart({"vit.encoder.layer.{n}.attention.output.dense.weight", "classifier.bias"}, 34),
      ElementsAre("vit.encoder...output.dense.weight", "classifier.bias"));
}

TEST(TellApart, NeverMakesTwoNamesAlike) {
  std::vector<std::string> names;
  for (int block = 0; block < 12; ++block) {
    for (const char* leaf :
         {"attention.q_proj.weight", "attention.k_proj.weight", "layernorm_before.bias",
          "layernorm_after.bias", "mlp.fc1.weight", "mlp.fc2.weight"})
      names.push_back("vit.layers." + std::to_string(block) + "." + leaf);
  }
  names.emplace_back("classifier.weight");
  for (std::size_t width = 8; width < 50; ++width) {
    const std::vector<std::string> cut = tell_apart(names, width);
    EXPECT_EQ(std::set<std::string>(cut.begin(), cut.end()).size(), names.size()) << width;
  }
}

// Only the middle tells these apart: no cut of it is allowed.
TEST(TellApart, GivesNamesBackWholeWhereNoCutKeepsThemApart) {
  const std::string same(40, 'x');
  const std::vector<std::string> names = {same + "1" + same, same + "2" + same};
  EXPECT_EQ(tell_apart(names, 30), names);
}

TEST(TellApart, EqualTextsMayStayEqual) {
  const std::string name(40, 'x');
  const std::vector<std::string> cut = tell_apart({name, name}, 20);
  EXPECT_EQ(cut[0], cut[1]);
  EXPECT_EQ(columns(cut[0]), 20U);
}

}  // namespace
}  // namespace samebits
