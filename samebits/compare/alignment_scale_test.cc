// Thousands of tensors: the work does not grow with the square of their number, and what is left
// out of it is said. With that growth each of these tests would take minutes.
#include <gmock/gmock.h>

#include "samebits/compare/test_weights.h"

namespace samebits {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::uint32_t kMany = 16'000;

template <class Name>
TestWeights many(std::uint32_t count, std::uint32_t first_seed, Name name) {
  TestWeights weights;
  for (std::uint32_t i = 0; i < count; ++i)
    weights.random(name(std::to_string(i)), {2, 2}, first_seed + i);
  return weights;
}

std::string left(const std::string& i) { return "left.t" + i; }
std::string right(const std::string& i) { return "right.x" + i; }

TEST(AlignmentScale, UnlikeNamesAndValuesStayApartAndItIsSaid) {
  const WeightComparison found = compare(many(kMany, 0, left), many(kMany, kMany, right));
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_EQ(found.matched, 0U);
  EXPECT_THAT(found.only_a, SizeIs(kMany));
  ASSERT_THAT(found.unsearched, SizeIs(1));
  EXPECT_THAT(found.unsearched[0], HasSubstr("16000 tensors of A"));
}

TEST(AlignmentScale, EqualBytesFindEachOther) {
  const WeightComparison found = compare(many(kMany, 0, left), many(kMany, 0, right));
  EXPECT_EQ(found.verdict, WeightsVerdict::identical);
  for (const TensorMatch& match : found.matches) EXPECT_EQ(match.a, match.b);
}

TEST(AlignmentScale, RareWordsFindChangedTensors) {
  const auto a = [](const std::string& i) { return "net.x" + i + ".weight"; };
  const auto b = [](const std::string& i) { return "model.x" + i + ".weight"; };
  const WeightComparison found = compare(many(kMany, 0, a), many(kMany, kMany, b));
  EXPECT_EQ(found.changed, kMany);
  EXPECT_THAT(found.unsearched, IsEmpty());
  for (const TensorMatch& match : found.matches) EXPECT_EQ(match.a, match.b);
}

TEST(AlignmentScale, BlockNumbersFindChangedTensors) {
  const auto a = [](const std::string& i) { return "layer." + i + ".fc.weight"; };
  const auto b = [](const std::string& i) { return "layers." + i + ".fc.weight"; };
  const WeightComparison found = compare(many(kMany, 0, a), many(kMany, kMany, b));
  EXPECT_EQ(found.changed, kMany);
  for (const TensorMatch& match : found.matches) EXPECT_EQ(match.a, match.b);
}

TEST(AlignmentScale, AllTensorsWithTheSameBytesArePaired) {
  TestWeights a;
  TestWeights b;
  for (int i = 0; i < 4000; ++i) {
    a.add(left(std::to_string(i)), {2}, {1, 2});
    b.add(right(std::to_string(i)), {2}, {1, 2});
  }
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::identical);
  EXPECT_EQ(found.matched, 4000U);
}

TEST(AlignmentScale, TransposesFindEachOther) {
  TestWeights a;
  TestWeights b;
  for (std::uint32_t i = 0; i < 4000; ++i) {
    const std::vector<float> values = TestWeights::numbers(4, i);
    a.add(left(std::to_string(i)), {2, 2}, values);
    b.add(right(std::to_string(i)), {2, 2}, {values[0], values[2], values[1], values[3]});
  }
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.matched, 4000U);
  for (const TensorMatch& match : found.matches) EXPECT_EQ(match.kind, MatchKind::rearranged);
}

TEST(AlignmentScale, ATransposeThatWasNotTriedLeavesTheVerdictOpen) {
  TestWeights a;
  TestWeights b;
  for (std::uint32_t i = 0; i < 1000; ++i) {  // equal on their diagonals, and nowhere else
    std::vector<float> x = TestWeights::numbers(9, i);
    std::vector<float> y = TestWeights::numbers(9, 1000 + i);
    for (const std::size_t k : {0U, 4U, 8U}) x[k] = y[k] = 0;
    a.add(left(std::to_string(i)), {3, 3}, x);
    b.add(right(std::to_string(i)), {3, 3}, y);
  }
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::unknown);
  ASSERT_FALSE(found.unsearched.empty());
  EXPECT_THAT(found.unsearched[0], HasSubstr("not tried as transposes"));
}

TEST(AlignmentScale, StackedTensorsAreFound) {
  TestWeights a;
  TestWeights b;
  for (std::uint32_t i = 0; i < 4000; ++i) {
    std::vector<float> both = TestWeights::numbers(2, 2 * i);
    const std::vector<float> second = TestWeights::numbers(2, 2 * i + 1);
    a.add(left(std::to_string(2 * i)), {2}, both).add(left(std::to_string(2 * i + 1)), {2}, second);
    both.insert(both.end(), second.begin(), second.end());
    b.add(right(std::to_string(i)), {4}, both);
  }
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::same_values);
  EXPECT_EQ(found.matched, 8000U);
}

TEST(AlignmentScale, BlocksAreListedByTheirNumbers) {
  TestWeights a;
  for (const char* name : {"blocks.0.w", "blocks.1.w", "blocks.10.w", "blocks.2.w", "head"})
    a.random(name, {2}, 1);
  const WeightComparison found = compare(a, TestWeights().random("other", {3}, 2));
  EXPECT_THAT(found.only_a, testing::ElementsAre("blocks.0.w", "blocks.1.w", "blocks.2.w",
                                                 "blocks.10.w", "head"));
  TestWeights b;
  for (const char* name : {"blocks.0.w", "blocks.1.w", "blocks.10.w", "blocks.2.w", "head"})
    b.random(name, {2}, 1);
  std::vector<std::uint32_t> order;
  for (const TensorMatch& match : compare(a, b).matches) order.push_back(match.a[0]);
  EXPECT_THAT(order, testing::ElementsAre(0, 1, 3, 2, 4));
}

}  // namespace
}  // namespace samebits
