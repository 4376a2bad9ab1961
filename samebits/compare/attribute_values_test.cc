#include "samebits/compare/attribute_values.h"

#include <gmock/gmock.h>

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;
using testing::SizeIs;

class AttributeValues : public testing::Test {
 protected:
  std::vector<ValueDifference> compare(const Json& a, const Json& b) {
    return compare_values(&a, &b, {a_, b_, [](const std::string& x, const std::string& y) {
                                     return x == y || (x == "old" && y == "new");
                                   }});
  }
  static Json data(Checkpoint& side, const char* is, const std::vector<std::uint8_t>& bytes) {
    const auto count = static_cast<std::int64_t>(bytes.size());
    side.attribute_data.push_back(*TensorView::make(DType::uint8, {count}, {1}, 0, bytes));
    return {{"$is", is}, {"$data", side.attribute_data.size() - 1}};
  }
  Checkpoint a_, b_;
};

TEST_F(AttributeValues, NumbersCompareAsNumbers) {
  EXPECT_THAT(compare(1, 1.0), IsEmpty());
  EXPECT_THAT(compare(1, 2), SizeIs(1));
  EXPECT_THAT(compare({1, 2}, {1, 2, 3}), SizeIs(1));
  EXPECT_THAT(compare(0.0, -0.0), SizeIs(1));
}

TEST_F(AttributeValues, NoneIsAValueAndNotAbsent) {
  const auto found = compare(nullptr, 0);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].a, "None");
  EXPECT_THAT(compare(nullptr, nullptr), IsEmpty());
  const Json value = 5;
  const ValueSides sides{a_, b_, [](const auto&, const auto&) { return false; }};
  EXPECT_TRUE(compare_values(nullptr, &value, sides)[0].a.is_null());
}

TEST_F(AttributeValues, LeavesThatDifferHaveTheirPaths) {
  const Json a = {{"x", 1}, {"deep", {{"y", 2}, {"z", 3}}}};
  const Json b = {{"x", 1}, {"deep", {{"y", 5}, {"z", 3}}}};
  EXPECT_THAT(compare(a, b), ElementsAre(Field(&ValueDifference::path, ".deep.y")));
}

TEST_F(AttributeValues, TheOrderOfADictIsADifference) {
  EXPECT_THAT(compare({{"x", 1}, {"y", 2}}, {{"y", 2}, {"x", 1}}),
              ElementsAre(Field(&ValueDifference::path, ".order")));
  EXPECT_THAT(compare({{"x", 1}, {"y", 2}}, {{"x", 1}, {"z", 0}, {"y", 2}}),
              ElementsAre(Field(&ValueDifference::path, ".z")));
  const Json a = {{"$class", "my.C"}, {"x", 1}, {"y", 2}};  // attributes have no order
  const Json b = {{"$class", "my.C"}, {"y", 2}, {"x", 1}};
  EXPECT_THAT(compare(a, b), IsEmpty());
}

TEST_F(AttributeValues, KeysThatAreNoTextsAreKeys) {
  const Json a = {{"$pairs", {{1, 2.0}, {3, 4.0}}}};
  EXPECT_THAT(compare(a, {{"$pairs", {{1, 2.0}, {3, 5.0}}}}),
              ElementsAre(Field(&ValueDifference::path, "[3]")));
  EXPECT_THAT(compare(a, {{"1", 2.0}, {"3", 4.0}}), SizeIs(1));
  const auto shown = compare({{"$pairs", {{1, 2.0}}}}, 5);
  ASSERT_THAT(shown, SizeIs(1));
  EXPECT_EQ(shown[0].a, "{1: 2.0}");
}

TEST_F(AttributeValues, BytesAreCompared) {
  const std::vector<std::uint8_t> one{1, 2}, other{1, 3};
  const Json a = data(a_, "bytes of 2 bytes", one);
  EXPECT_THAT(compare(a, data(b_, "bytes of 2 bytes", one)), IsEmpty());
  const auto found = compare(a, data(b_, "bytes of 2 bytes", other));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_TRUE(found[0].comparable);
}

TEST_F(AttributeValues, WhatCannotBeReadCannotBeCompared) {
  const auto found = compare({{"$opaque", "a storage"}}, {{"$opaque", "a storage"}});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_FALSE(found[0].comparable);
}

TEST_F(AttributeValues, PlacesOfTheTreeAreOneUnderARenaming) {
  EXPECT_THAT(compare({{"$module", "old"}}, {{"$module", "new"}}), IsEmpty());
  EXPECT_THAT(compare({{"$module", "new"}}, {{"$module", "old"}}), SizeIs(1));
}

TEST_F(AttributeValues, AValueThatStandsInManyPlacesIsComparedAsIfItStoodThere) {
  const Json value = {{"scale", 1}, {"shift", 0}};
  a_.attribute_shared = {value};
  b_.attribute_shared = {value, {{"scale", 2}, {"shift", 0}}};
  EXPECT_THAT(compare({{"$shared", 0}}, {{"$shared", 0}}), IsEmpty());
  EXPECT_THAT(compare({{"$shared", 0}}, value), IsEmpty());
  const auto found = compare({{"$shared", 0}}, {{"$shared", 1}});
  ASSERT_THAT(found, ElementsAre(Field(&ValueDifference::path, ".scale")));
  EXPECT_EQ(found[0].b, 2);
  EXPECT_EQ(compare({{"$shared", 0}}, 7)[0].a, value);
}

TEST_F(AttributeValues, MoreThanCanBeListedIsSaid) {
  Json a = Json::object();
  Json b = Json::object();
  for (int i = 0; i < 400; ++i) {
    a["f" + std::to_string(i)] = i;
    b["f" + std::to_string(i)] = i + 1;
  }
  const auto found = compare(a, b);
  ASSERT_THAT(found, SizeIs(257));
  EXPECT_FALSE(found.back().comparable);
}

}  // namespace
}  // namespace samebits
