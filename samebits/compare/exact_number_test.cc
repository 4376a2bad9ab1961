#include "samebits/compare/exact_number.h"

#include <gmock/gmock.h>

#include "samebits/compare/test_weights.h"

namespace samebits {
namespace {

constexpr std::int64_t kTwo53 = std::int64_t{1} << 53;

template <class A, class B>
ValueRelation relation(DType type_a, A a, DType type_b, B b) {
  const TestWeights x = TestWeights().add_raw<A>("n", type_a, {1}, {a});
  const TestWeights y = TestWeights().add_raw<B>("n", type_b, {1}, {b});
  const WeightSet set_x = x.set();
  const WeightSet set_y = y.set();
  return relate_values({{set_x[0].view, set_y[0].view}}, 1)[0];
}

template <class A, class B>
bool equal(DType type_a, A a, DType type_b, B b) {
  const bool there = relation(type_a, a, type_b, b).equal_numbers;
  EXPECT_EQ(there, relation(type_b, b, type_a, a).equal_numbers);
  return there;
}

TEST(ExactNumbers, OfLongsAndDoubles) {
  EXPECT_FALSE(equal(DType::int64, kTwo53 + 1, DType::float64, 0x1p53));
  EXPECT_TRUE(equal(DType::int64, kTwo53, DType::float64, 0x1p53));
  EXPECT_TRUE(equal(DType::int64, -kTwo53, DType::float64, -0x1p53));
  EXPECT_TRUE(equal(DType::int64, kTwo53 * 4, DType::float64, 0x1p55));
  EXPECT_FALSE(
      equal(DType::int64, std::numeric_limits<std::int64_t>::max(), DType::float64, 0x1p63));
  EXPECT_TRUE(
      equal(DType::int64, std::numeric_limits<std::int64_t>::min(), DType::float64, -0x1p63));
  EXPECT_FALSE(equal(DType::uint64, ~std::uint64_t{0}, DType::float64, 0x1p64));
  EXPECT_EQ(relation(DType::int64, kTwo53 + 1, DType::float64, 0x1p53).stats.max_abs, 1);
}

TEST(ExactNumbers, OfSignedAndUnsigned) {
  EXPECT_FALSE(equal(DType::int64, std::int64_t{-1}, DType::uint64, ~std::uint64_t{0}));
  EXPECT_TRUE(
      equal(DType::int64, kTwo53 + 1, DType::uint64, static_cast<std::uint64_t>(kTwo53) + 1));
  EXPECT_FALSE(equal(DType::int64, kTwo53, DType::uint64, static_cast<std::uint64_t>(kTwo53) + 1));
  EXPECT_EQ(relation(DType::int64, std::int64_t{1} << 60, DType::int64, (std::int64_t{1} << 60) + 3)
                .stats.max_abs,
            3);
}

TEST(ExactNumbers, OfNarrowerTypes) {
  EXPECT_FALSE(equal(DType::int32, (1 << 24) + 1, DType::float32, 0x1p24F));
  EXPECT_TRUE(equal(DType::int32, 1 << 24, DType::float32, 0x1p24F));
  EXPECT_FALSE(equal(DType::int32, 2049, DType::float16, std::uint16_t{0x6800}));  // 2048
  EXPECT_TRUE(equal(DType::int32, 2048, DType::float16, std::uint16_t{0x6800}));
  EXPECT_FALSE(equal(DType::int64, kTwo53 + 1, DType::bfloat16, std::uint16_t{0x5A00}));  // 2^53
  EXPECT_FALSE(equal(DType::uint8, std::uint8_t{17}, DType::float8_e4m3fn, std::uint8_t{0x58}));
  EXPECT_TRUE(equal(DType::uint8, std::uint8_t{16}, DType::float8_e4m3fn, std::uint8_t{0x58}));
  EXPECT_TRUE(equal(DType::boolean, std::uint8_t{1}, DType::int64, std::int64_t{1}));
  EXPECT_FALSE(equal(DType::boolean, std::uint8_t{1}, DType::int64, std::int64_t{2}));
}

TEST(ExactNumbers, InTheMidstOfSmallerOnes) {
  std::vector<std::int64_t> longs(1000);
  std::vector<double> doubles(1000);
  for (std::size_t i = 0; i < longs.size(); ++i) {
    longs[i] = static_cast<std::int64_t>(i);
    doubles[i] = static_cast<double>(i);
  }
  longs[700] = kTwo53 + 1;
  doubles[700] = 0x1p53;
  const TestWeights a = TestWeights().add_raw<std::int64_t>("n", DType::int64, {1000}, longs);
  const TestWeights b = TestWeights().add_raw<double>("n", DType::float64, {1000}, doubles);
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_EQ(found.matches[0].stats->differing, 1U);
  EXPECT_EQ(found.matches[0].stats->first, 700U);
}

}  // namespace
}  // namespace samebits
