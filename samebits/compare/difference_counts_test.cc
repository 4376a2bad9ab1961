#include "samebits/compare/difference_counts.h"

#include <limits>

#include <gmock/gmock.h>

#include "samebits/compare/test_weights.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

DifferenceCounts counts(const std::vector<float>& a, const std::vector<float>& b) {
  const auto size = static_cast<std::int64_t>(a.size());
  TestWeights weights;
  weights.add("a", {size}, a).add("b", {size}, b);
  const WeightSet set = weights.set();
  return count_differences({set[0].view, set[1].view});
}

TEST(DifferenceCounts, AreByPowersOfTwo) {
  // Distances 0.5, 0.75, 1, 4 and none.
  const DifferenceCounts found = counts({0, 0, 0, 0, 7}, {0.5F, -0.75F, 1, 4, 7});
  EXPECT_EQ(found.lowest, -1);
  EXPECT_THAT(found.counts, ElementsAre(2, 1, 0, 1));
}

TEST(DifferenceCounts, LeaveOutWhatIsNoDistance) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_THAT(counts({1, 2}, {1, 2}).counts, IsEmpty());
  EXPECT_THAT(counts({nan, 1, infinity, 0}, {1, nan, 0, 2}).counts, ElementsAre(1));
}

TEST(DifferenceCounts, SeeEveryElementOfALargeTensor) {
  const std::size_t size = (1U << 16) + 3;
  const std::vector<float> a(size, 0);
  EXPECT_THAT(counts(a, std::vector<float>(size, 1)).counts, ElementsAre(size));
}

TEST(DifferenceCounts, KnowTheSmallestAndTheLargestDistances) {
  const std::vector<double> a = {0, 0, 0, -0x1.8p1023};
  const std::vector<double> b = {0x1p-1074, 0x1.8p-1030, 0x1p-1022, 0};
  const auto view = [](const std::vector<double>& values) {
    const Bytes bytes(reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * 8);
    return *TensorView::make(DType::float64, {4}, {1}, 0, bytes);
  };
  const DifferenceCounts found = count_differences({view(a), view(b)});
  EXPECT_EQ(found.lowest, -1074);
  ASSERT_EQ(found.counts.size(), 1023U + 1074 + 1);
  for (const std::size_t exponent : {0U, 1074U - 1030, 1074U - 1022, 1074U + 1023})
    EXPECT_EQ(found.counts[exponent], 1U) << exponent;
}

}  // namespace
}  // namespace samebits
