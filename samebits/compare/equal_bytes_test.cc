#include "samebits/compare/equal_bytes.h"

#include <gmock/gmock.h>
#include <sys/mman.h>

#include "samebits/compare/tensor_stats.h"
#include "samebits/compare/test_weights.h"

namespace samebits {
namespace {

using testing::ElementsAre;

/// Of each pair of equally long vectors, whether the bytes are equal.
std::vector<bool> equal(const std::vector<std::pair<std::vector<float>, std::vector<float>>>& all,
                        int threads) {
  TestWeights weights;
  for (const auto& [a, b] : all) {
    weights.add("a", {static_cast<std::int64_t>(a.size())}, a);
    weights.add("b", {static_cast<std::int64_t>(b.size())}, b);
  }
  const WeightSet set = weights.set();
  std::vector<BytePair> pairs;
  for (std::uint32_t i = 0; i < set.tensors().size(); i += 2)
    pairs.push_back({&set[i].view, &set[i + 1].view});
  return equal_bytes(pairs, threads);
}

TEST(EqualBytes, AreSeenPairByPair) {
  EXPECT_THAT(
      equal({{{1, 2}, {1, 2}}, {{1, 2}, {1, 3}}, {{}, {}}, {{1}, {1, 2}}, {{0}, {-0.F}}}, 2),
      ElementsAre(true, false, true, false, false));
}

TEST(EqualBytes, OneElementAnywhereInALargeTensorIsSeen) {
  const std::size_t block = (1U << 20) / sizeof(float);
  const std::vector<float> same(9 * block + 5, 1);
  std::vector<std::pair<std::vector<float>, std::vector<float>>> pairs = {{same, same}};
  for (const std::size_t place : {std::size_t{0}, block - 1, block, 4 * block, 9 * block + 4}) {
    pairs.emplace_back(same, same);
    pairs.back().second[place] = 2;
  }
  for (const int threads : {1, 3})
    EXPECT_THAT(equal(pairs, threads), ElementsAre(true, false, false, false, false, false));
}

TEST(EqualBytes, OneMemoryEqualsItselfUnread) {
  constexpr std::size_t kBytes = 1 << 20;
  void* const memory = ::mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  const Bytes bytes(static_cast<const std::uint8_t*>(memory), kBytes);
  const auto view_of = [&](Shape shape) {
    return *TensorView::make(DType::float32, shape, contiguous_strides(shape), 0, bytes);
  };
  const TensorView a = view_of({256, 1024});
  const TensorView b = view_of({1024, 256});
  EXPECT_THAT(equal_bytes({{&a, &a}, {&a, &b}}, 1), ElementsAre(true, true));
  ::munmap(memory, kBytes);
}

TEST(SamePairs, TiedWeightsArePairedOnce) {
  TestWeights weights;
  weights.random("a", {8}, 1).tie("tied").random("b", {8}, 2).tie("tied b");
  const WeightSet set = weights.set();
  const auto view = [&](std::uint32_t i) { return &set[i].view; };
  EXPECT_THAT(same_pairs({{view(0), view(2)},
                          {view(1), view(2)},
                          {view(1), view(3)},
                          {view(0), view(0)},
                          {view(0), view(1)}}),
              ElementsAre(0, 0, 0, 3, 3));
  EXPECT_THAT(equal_bytes({{view(0), view(2)}, {view(1), view(3)}, {view(0), view(1)}}, 1),
              ElementsAre(false, false, true));
}

TEST(SamePairs, StatisticsOfTiedWeightsAreThoseOfEach) {
  TestWeights weights;
  weights.random("a", {8}, 1).tie("tied").random("b", {8}, 2).random("c", {8}, 3);
  const WeightSet set = weights.set();
  const std::vector<ValuePair> pairs = {{set[0].view, set[2].view},
                                        {set[0].view, set[3].view},
                                        {set[1].view, set[2].view},
                                        {set[1].view, set[3].view}};
  const auto once = relate_distinct_values(pairs, 1);
  const auto each = relate_values(pairs, 1);
  for (std::size_t i = 0; i < pairs.size(); ++i)
    EXPECT_EQ(once[i].stats.max_abs, each[i].stats.max_abs) << i;
}

TEST(WeightSet, ADigestIsThatOfEveryTiedName) {
  TestWeights weights;
  weights.random("a", {8}, 1).tie("tied").random("b", {8}, 2);
  WeightSet set = weights.set();
  set.compute_digests({1}, 1);
  EXPECT_TRUE(set.digest(0) && set.digest(0) == set.digest(1));
  EXPECT_FALSE(set.digest(2));
  EXPECT_EQ(set.same_as(1), 0U);
  EXPECT_EQ(set.same_as(2), 2U);
}

TEST(Ties, ManyNamesAreCounted) {
  TestWeights tied;
  TestWeights apart;
  tied.random("w0", {8}, 1);
  apart.random("w0", {8}, 1);
  for (int i = 1; i < 100; ++i) {
    tied.tie("w" + std::to_string(i));
    apart.random("w" + std::to_string(i), {8}, 1);
  }
  const WeightComparison comparison = compare(tied, apart);
  ASSERT_EQ(comparison.ties.size(), 1U);
  EXPECT_EQ(comparison.ties[0].names_a.size(), 100U);
  EXPECT_EQ(comparison.ties[0].summary,
            "w0, w1, w2 and 97 more share one storage in A and are apart in B");
}

}  // namespace
}  // namespace samebits
