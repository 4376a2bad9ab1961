#include "samebits/explain/segments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "samebits/explain/diff.h"
#include "samebits/explain/report.h"
#include "samebits/explain/test_tensors.h"

namespace samebits {
namespace {

using test_tensors::Model;
using test_tensors::model;
using test_tensors::moved;
using test_tensors::without;
using testing::ElementsAre;

class Segments : public testing::Test {
 protected:
  std::vector<Segment> of(const Model& a, const Model& b) {
    return test_tensors::diff_of(a, b).weights.at(0).segments;
  }
  static std::vector<std::string> names(const std::vector<Segment>& segments) {
    std::vector<std::string> found;
    for (const Segment& each : segments) found.push_back(each.name);
    return found;
  }
  static const Segment& find(const std::vector<Segment>& segments, const std::string& name) {
    for (const Segment& each : segments) {
      if (each.name == name) return each;
    }
    ADD_FAILURE() << name;
    return segments.at(0);
  }
};

TEST_F(Segments, StandInTheOrderOfAPassWhateverTheOrderOfTheFile) {
  Model turned = model(2);
  std::reverse(turned.begin(), turned.end());
  for (const Model& each : {model(2), turned})
    EXPECT_THAT(names(of(each, each)), ElementsAre("vit.embeddings", "vit.layers.0", "vit.layers.1",
                                                   "vit.layernorm", "classifier"));
}

TEST_F(Segments, SayWhatChangedAndByHowMuch) {
  const Model a = model(3);
  const std::vector<Segment> found = of(a, moved(a, "vit.layers.2.", 0.1F));
  EXPECT_EQ(find(found, "vit.layers.1").status, SegmentStatus::identical);
  EXPECT_FALSE(find(found, "vit.layers.1").relative.has_value());
  const Segment& last = find(found, "vit.layers.2");
  EXPECT_EQ(last.status, SegmentStatus::changed);
  EXPECT_EQ(last.changed, 2U);
  EXPECT_EQ(last.tensors, 2U);
  // Draws of one spread, of which a tenth was added.
  EXPECT_NEAR(last.relative.value_or(0), 0.1, 0.03);
}

// The norm of the difference over A's norm, of all tensors of a block together.
TEST_F(Segments, RelativeChangeIsOfAllTensorsTogether) {
  Model a = {{"net.0.w", {2}, {3, 0}}, {"net.0.b", {1}, {4}}, {"net.1.w", {2}, {1, 2}}};
  Model b = a;
  b[0].values = {3, 1};
  b[1].values = {4.5F};
  const std::vector<Segment> found = of(a, b);
  EXPECT_DOUBLE_EQ(find(found, "net.0").relative.value_or(0), std::sqrt(1.25) / 5);
}

TEST_F(Segments, BlocksThatOneSideLacksStandAmongTheirSiblings) {
  const std::vector<Segment> found = of(model(2), model(4));
  EXPECT_THAT(names(found),
              ElementsAre("vit.embeddings", "vit.layers.0", "vit.layers.1", "vit.layers.2",
                          "vit.layers.3", "vit.layernorm", "classifier"));
  EXPECT_EQ(find(found, "vit.layers.3").status, SegmentStatus::only_b);
  const std::vector<Segment> back = of(model(4), model(2));
  EXPECT_EQ(find(back, "vit.layers.3").status, SegmentStatus::only_a);
}

// Under other names in B, too, whose stack is another path.
TEST_F(Segments, BlocksOfAnotherNameHaveThePlaceOfTheirPartners) {
  const std::vector<Segment> found = of(model(2), model(4, 3, "vit.encoder.layer."));
  EXPECT_EQ(find(found, "vit.layers.1").status, SegmentStatus::identical);
  EXPECT_EQ(find(found, "vit.layers.3").status, SegmentStatus::only_b);
}

TEST_F(Segments, ABlockWithMoreTensorsSaysSo) {
  const Model a = model(2);
  const std::vector<Segment> found = of(a, without(a, "vit.layers.1.fc.bias"));
  EXPECT_EQ(find(found, "vit.layers.1").status, SegmentStatus::more_in_a);
  EXPECT_EQ(find(found, "vit.layers.1").only_a, 1U);
}

TEST_F(Segments, AnotherShapeIsNothingToCompare) {
  const std::vector<Segment> found = of(model(2, 3), model(2, 10));
  EXPECT_EQ(find(found, "classifier").status, SegmentStatus::unlike);
  EXPECT_FALSE(find(found, "classifier").relative.has_value());
}

TEST_F(Segments, NotANumberOnOneSideIsNoSizeOfAChange) {
  Model b = model(2);
  b[2].values[5] = std::nanf("");
  const Segment segment = find(of(model(2), b), "vit.layers.0");
  EXPECT_EQ(segment.status, SegmentStatus::not_finite);
  EXPECT_TRUE(std::isinf(segment.relative.value_or(0)));
}

TEST_F(Segments, ADecoderComesBehindAnEncoder) {
  Model a = {{"decoder.layers.0.w", {4}, test_tensors::draws({4}, 1)},
             {"decoder.norm.w", {4}, test_tensors::draws({4}, 2)},
             {"encoder.layers.0.w", {4}, test_tensors::draws({4}, 3)},
             {"encoder.norm.w", {4}, test_tensors::draws({4}, 4)}};
  EXPECT_THAT(names(of(a, a)),
              ElementsAre("encoder.layers.0", "encoder.norm", "decoder.layers.0", "decoder.norm"));
}

TEST_F(Segments, ATensorWithoutANameIsASegmentOfItsOwn) {
  EXPECT_EQ(of({{"", {2}, {1, 2}}}, {{"", {2}, {1, 3}}}).size(), 1U);
}

TEST_F(Segments, ManyModulesBesideTheBlocksAreOne) {
  Model a;
  for (int i = 0; i < 400; ++i)
    a.push_back({"m" + std::to_string(i) + ".weight", {2}, test_tensors::draws({2}, i)});
  EXPECT_THAT(names(of(a, a)), ElementsAre("other modules"));
}

}  // namespace
}  // namespace samebits
