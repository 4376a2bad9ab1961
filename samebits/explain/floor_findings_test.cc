#include "samebits/explain/floor_findings.h"

#include <limits>

#include <gmock/gmock.h>

namespace samebits {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

const FloorSides kSides{"A", "B"};

OutputPair point_with(const std::string& name, double units) {
  OutputPair pair{.a = "A", .b = "B", .point = name};
  pair.floor_units = units;
  return pair;
}

TEST(FloorFindings, RoundingNamesTheWorstPoint) {
  for (const auto& units : {std::vector<double>{0.5, 3, 1}, {3, 0.5, 1}, {0.5, 1, 3}}) {
    std::vector<OutputPair> points;
    for (const double unit : units)
      points.push_back(point_with(unit == 3 ? "worst" : "other", unit));
    const Finding finding = rounding_finding(kSides, points);
    EXPECT_EQ(finding.cause, "numerics.rounding");
    EXPECT_EQ(finding.proof, Proof::proved);
    EXPECT_EQ(finding.evidence["point"], "worst");
    EXPECT_EQ(finding.evidence["largest_units"], 3.0);
    EXPECT_THAT(finding.details[0], HasSubstr("worst of 3 float32 passes"));
  }
  const Finding none = rounding_finding(kSides, {point_with("first", 0), point_with("second", 0)});
  EXPECT_EQ(none.evidence["point"], "first");
  EXPECT_EQ(none.evidence["largest_units"], 0.0);
}

TEST(FloorFindings, OtherShapesNameFieldsThatTheConfigHas) {
  const auto remedy = [](bool one_width, const Json& config) {
    return shape_finding(kSides, {"x", "[1, 5]", "[1, 4]", 0, one_width}, config).remedy;
  };
  const Json vit = {{"image_size", 32}, {"patch_size", 16}, {"hidden_size", 48}};
  EXPECT_EQ(remedy(true, vit),
            "Look at the fields that decide the number of tokens: image_size, patch_size");
  EXPECT_EQ(remedy(false, vit), "Look at the fields that decide widths: hidden_size");
  EXPECT_EQ(remedy(true, Json()), "Look at what decides the number of tokens in both");
}

TEST(FloorFindings, ADepartureIsProvedOnlyByABrokenBound) {
  const Finding suspected = departure_finding(kSides, point_with("x", 50), std::nullopt);
  EXPECT_EQ(suspected.proof, Proof::suspected);
  EXPECT_FALSE(suspected.settle.empty());
  EXPECT_THAT(suspected.details, SizeIs(1));
  EXPECT_THAT(suspected.details[0], HasSubstr("error there is 50 times that"));
  const Finding proved = departure_finding(kSides, point_with("x", 50),
                                           OperationCheck{.element = 7, .off = 0.5, .bound = 1e-6});
  EXPECT_EQ(proved.proof, Proof::proved);
  EXPECT_TRUE(proved.settle.empty());
  EXPECT_EQ(proved.evidence["element"], 7);
  EXPECT_EQ(proved.evidence["off"], 0.5);
}

TEST(FloorFindings, ADepartureToNanSaysSo) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(departure_finding(kSides, point_with("x", nan), std::nullopt).details[0],
              HasSubstr("NaN or infinite"));
}

TEST(FloorFindings, HalfTypesAreCoarserByTheirMissingBits) {
  EXPECT_EQ(coarser_than_float(DType::bfloat16), 65536);  // 8 bits of 24
  EXPECT_EQ(coarser_than_float(DType::float16), 8192);    // 11 bits of 24
  EXPECT_EQ(coarser_than_float(DType::float32), 0);
  EXPECT_EQ(coarser_than_float(DType::float64), 0);
}

}  // namespace
}  // namespace samebits
