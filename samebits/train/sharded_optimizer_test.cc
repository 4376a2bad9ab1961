#include "samebits/train/sharded_optimizer.h"

#include <deque>

#include <gmock/gmock.h>

#include "samebits/kernels/kernel_choice.h"
#include "samebits/train/thread_group.h"

namespace samebits {
namespace {

using test_ranks::run_ranks;

/// Numbers whose sums depend on their order.
float number_at(std::size_t seed, std::size_t i) {
  return static_cast<float>((seed * 7919 + i * 104729) % 1000003) / 999.0F - 500;
}

/// A vector larger than a part, a matrix with columns that no tile fills, and a small vector.
VitWeights numbered_weights(std::size_t seed) {
  VitWeights weights;
  weights.class_token.resize(150'000);
  std::vector<float> matrix(40 * 3);
  for (std::size_t i = 0; i < matrix.size(); ++i) matrix[i] = number_at(seed, i);
  weights.patches = {PackedMatrix(matrix.data(), 40, 3, 3), std::vector<float>(40, 0.25F)};
  for (std::size_t i = 0; i < weights.class_token.size(); ++i)
    weights.class_token[i] = number_at(seed + 1, i);
  return weights;
}

struct Learner {
  VitWeights weights = numbered_weights(100), gradient = zeros_like(weights);
  VitWeights first = zeros_like(weights), second = zeros_like(weights);

  std::vector<LearningSlot> slots() {
    std::vector<LearningSlot> made;
    const auto all = weight_slots(weights);
    for (std::size_t i = 0; i < all.size(); ++i)
      made.push_back({.weight = all[i],
                      .gradient = weight_slots(gradient)[i],
                      .first = weight_slots(first)[i],
                      .second = weight_slots(second)[i]});
    made[0].tail = {1, 65536, 149'999};
    return made;
  }
};

std::vector<float> numbers_of(VitWeights& weights) {
  std::vector<float> all;
  for (const WeightSlot& slot : weight_slots(weights))
    all.insert(all.end(), slot.data(), slot.data() + slot.size());
  return all;
}

/// What ends of a step over so many leaves on rank 0: weights, both moments, the norm.
std::vector<std::vector<float>> after_a_step(std::size_t size, std::size_t leaves) {
  std::vector<std::vector<float>> found;
  run_ranks(size, [&](ProcessGroup& group) {
    Learner learner;
    ThreadPool pool(1);
    const Engine engine{*default_kernels().kernels, pool};
    ShardedOptimizer optimizer(group, learner.slots());
    std::vector<PartialSum> sums;
    std::deque<VitWeights> gradients;
    const LeafRange own = leaves_of_rank(leaves, group.rank(), size);
    for (std::size_t leaf = own.first; leaf < own.last; ++leaf) {
      sums.push_back({{leaf, leaf + 1}, &gradients.emplace_back(numbered_weights(leaf))});
      while (sums.size() > 1 && are_halves(leaves, sums[sums.size() - 2].node, sums.back().node)) {
        add_weights(engine, *sums.back().gradient, *sums[sums.size() - 2].gradient);
        sums[sums.size() - 2].node.last = sums.back().node.last;
        sums.pop_back();
      }
    }
    ASSERT_TRUE(optimizer.sum(engine, leaves, sums));
    const Result<double> norm = optimizer.norm(engine);
    ASSERT_TRUE(norm);
    const AdamwScalars scalars = adamw_scalars({}, 0.01, 1);
    EXPECT_EQ(optimizer.step(engine, {&scalars, 1}), "");
    ASSERT_TRUE(optimizer.share_weights());
    ASSERT_TRUE(optimizer.collect_moments());
    if (group.first())
      found = {numbers_of(learner.weights),
               numbers_of(learner.first),
               numbers_of(learner.second),
               {static_cast<float>(*norm)}};
  });
  return found;
}

TEST(ShardedOptimizer, AnyNumberOfRanksGivesTheSameBits) {
  for (const std::size_t leaves : {1U, 3U, 7U}) {
    const auto wanted = after_a_step(1, leaves);
    EXPECT_NE(wanted[1], std::vector<float>(wanted[1].size(), 0.0F));
    for (const std::size_t size : {2U, 3U, 4U, 5U})
      EXPECT_EQ(after_a_step(size, leaves), wanted) << size << " ranks, " << leaves << " leaves";
  }
}

}  // namespace
}  // namespace samebits
