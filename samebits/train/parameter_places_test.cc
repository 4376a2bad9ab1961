#include "samebits/train/parameter_places.h"

#include <gmock/gmock.h>

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<ModelParameter> kModel = {
    {"vit.cls_token", {1, 1, 4}},  {"vit.positions", {1, 5, 4}, true},
    {"vit.layer.weight", {4, 4}},  {"vit.layer.bias", {4}},
    {"vit.layernorm.weight", {4}}, {"vit.layernorm.bias", {4}},
    {"classifier.weight", {3, 4}}, {"classifier.bias", {3}}};

/// Groups of these parameters of kModel, with their shapes.
ParameterLists listed(const std::vector<std::vector<std::size_t>>& groups) {
  ParameterLists lists;
  std::size_t key = 0;
  for (const auto& group : groups) {
    lists.emplace_back();
    for (const std::size_t i : group)
      lists.back().push_back({std::to_string(key++), "", kModel[i].shape});
  }
  return lists;
}

TEST(ParameterPlaces, OneGroupIsAllOrWhatAsksForAGradient) {
  EXPECT_THAT(*place_parameters(kModel, listed({{0, 1, 2, 3, 4, 5, 6, 7}})),
              ElementsAre(ElementsAre(0, 1, 2, 3, 4, 5, 6, 7)));
  EXPECT_THAT(*place_parameters(kModel, listed({{0, 2, 3, 4, 5, 6, 7}})),
              ElementsAre(ElementsAre(0, 2, 3, 4, 5, 6, 7)));
}

TEST(ParameterPlaces, AParameterWithoutMomentsFitsByItsPlace) {
  ParameterLists lists = listed({{0, 1, 2, 3, 4, 5, 6, 7}});
  lists[0][1].shape.reset();
  EXPECT_THAT(*place_parameters(kModel, lists), ElementsAre(ElementsAre(0, 1, 2, 3, 4, 5, 6, 7)));
  for (ParameterLists all = lists; ListedParameter & each : all[0]) each.shape.reset();
  EXPECT_TRUE(place_parameters(kModel, lists));
}

TEST(ParameterPlaces, TwoGroupsInTheUsualWays) {
  for (const auto& groups : std::vector<std::vector<std::vector<std::size_t>>>{
           {{0, 2, 6}, {3, 4, 5, 7}},     // the Trainer's
           {{3, 4, 5, 7}, {0, 2, 6}},     // timm's
           {{0, 1, 2, 4, 6}, {3, 5, 7}},  // biases
           {{0, 1, 2, 3, 4, 5}, {6, 7}},  // the head
           {{6, 7}, {0, 2, 3, 4, 5}}}) {
    const auto found = place_parameters(kModel, listed(groups));
    ASSERT_TRUE(found) << groups[0].size();
    EXPECT_EQ(*found, groups);
  }
}

TEST(ParameterPlaces, PartsOfTheModelWhereShapesLeaveOneChoice) {
  EXPECT_THAT(*place_parameters(kModel, listed({{6, 7}})), ElementsAre(ElementsAre(6, 7)));
  EXPECT_THAT(*place_parameters(kModel, listed({{6}, {2}, {7}})),
              ElementsAre(ElementsAre(6), ElementsAre(2), ElementsAre(7)));
  const auto found = place_parameters(kModel, listed({{2, 3, 6, 7}}));  // [4] is three of them
  EXPECT_THAT(found.error().what, HasSubstr("4 parameters in 1 group cannot be told apart"));
  EXPECT_FALSE(place_parameters(kModel, listed({{6, 2}})));  // in another order
  EXPECT_FALSE(place_parameters(kModel, listed({{6, 7}, {6}})));
  EXPECT_FALSE(place_parameters(kModel, {}));
}

TEST(ParameterPlaces, ListsThatPutAMomentElsewhereAreRefused) {
  const std::vector<ModelParameter> alike = {{"a.bias", {4}}, {"b.weight", {4}}};
  const ParameterLists lists = {{{"0", "", Shape{4}}}, {{"1", "", Shape{4}}}};
  EXPECT_THAT(place_parameters(alike, lists).error().what,
              HasSubstr("0 can be b.weight and a.bias"));
}

TEST(ParameterPlaces, NamesSayIt) {
  ParameterLists lists = {{{"0", "classifier.bias", Shape{3}}, {"1", "vit.cls_token", {}}}};
  EXPECT_THAT(*place_parameters(kModel, lists), ElementsAre(ElementsAre(7, 0)));
  lists[0][0].shape = Shape{4};
  EXPECT_EQ(place_parameters(kModel, lists).error().code, ErrorCode::inconsistent);
  lists[0][0] = {"0", "head.bias", Shape{3}};
  EXPECT_THAT(place_parameters(kModel, lists).error().what, HasSubstr("head.bias"));
}

}  // namespace
}  // namespace samebits
