#include "samebits/compare/equal_bytes.h"

#include <gmock/gmock.h>

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

}  // namespace
}  // namespace samebits
