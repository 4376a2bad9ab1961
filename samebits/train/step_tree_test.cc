#include "samebits/train/step_tree.h"

#include <gmock/gmock.h>

namespace samebits {
namespace {

using testing::ElementsAre;

std::vector<std::pair<std::size_t, std::size_t>> pairs_of(const std::vector<LeafRange>& nodes) {
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  for (const LeafRange& node : nodes) pairs.emplace_back(node.first, node.last);
  return pairs;
}

TEST(StepTree, SplitsAtTheLargestPowerOfTwoBelow) {
  EXPECT_EQ(split_of({0, 2}), 1U);
  EXPECT_EQ(split_of({0, 7}), 4U);
  EXPECT_EQ(split_of({0, 8}), 4U);
  EXPECT_EQ(split_of({0, 9}), 8U);
  EXPECT_EQ(split_of({4, 7}), 6U);
}

TEST(StepTree, NodesInsideARangeAreTheLargest) {
  EXPECT_THAT(pairs_of(nodes_inside(8, {0, 8})), ElementsAre(std::pair(0, 8)));
  EXPECT_THAT(pairs_of(nodes_inside(8, {3, 8})), ElementsAre(std::pair(3, 4), std::pair(4, 8)));
  EXPECT_THAT(pairs_of(nodes_inside(7, {1, 7})),
              ElementsAre(std::pair(1, 2), std::pair(2, 4), std::pair(4, 7)));
  EXPECT_THAT(pairs_of(nodes_inside(7, {5, 7})), ElementsAre(std::pair(5, 6), std::pair(6, 7)));
  EXPECT_THAT(nodes_inside(7, {3, 3}), testing::IsEmpty());
}

TEST(StepTree, HalvesAreThoseThatTheTreeAdds) {
  EXPECT_TRUE(are_halves(8, {0, 4}, {4, 8}));
  EXPECT_TRUE(are_halves(7, {4, 6}, {6, 7}));
  EXPECT_FALSE(are_halves(8, {1, 2}, {2, 3}));
  EXPECT_FALSE(are_halves(6, {2, 4}, {4, 6}));
}

// Whatever is pushed from left to right and joined, as Trainer does, ends as the largest nodes.
TEST(StepTree, JoinedLeavesOfAnyRangeAreItsNodes) {
  for (std::size_t leaves = 1; leaves < 20; ++leaves) {
    for (std::size_t first = 0; first < leaves; ++first) {
      for (std::size_t last = first + 1; last <= leaves; ++last) {
        std::vector<LeafRange> joined;
        for (std::size_t leaf = first; leaf < last; ++leaf) {
          joined.push_back({leaf, leaf + 1});
          while (joined.size() > 1 &&
                 are_halves(leaves, joined[joined.size() - 2], joined.back())) {
            const LeafRange right = joined.back();
            joined.pop_back();
            joined.back().last = right.last;
          }
        }
        ASSERT_EQ(joined, nodes_inside(leaves, {first, last}));
      }
    }
  }
}

TEST(StepTree, RanksShareTheLeavesEvenlyAndTheFirstHasSome) {
  for (std::size_t leaves = 1; leaves < 20; ++leaves) {
    for (std::size_t size = 1; size < 6; ++size) {
      std::size_t end = 0;
      for (std::size_t rank = 0; rank < size; ++rank) {
        const LeafRange own = leaves_of_rank(leaves, rank, size);
        EXPECT_EQ(own.first, end);
        EXPECT_LE(own.size(), leaves / size + 1);
        EXPECT_GE(own.size(), leaves / size);
        end = own.last;
      }
      EXPECT_EQ(end, leaves);
      EXPECT_GT(leaves_of_rank(leaves, 0, size).size(), 0U);
    }
  }
}

}  // namespace
}  // namespace samebits
