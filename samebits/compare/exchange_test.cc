// Bytes that stand where others belong: a difference, whatever the names.
#include <gmock/gmock.h>

#include "samebits/compare/alignment.h"
#include "samebits/compare/test_weights.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::vector<std::string> summaries(const WeightComparison& comparison) {
  std::vector<std::string> texts;
  for (const Exchange& exchange : comparison.exchanges) texts.push_back(exchange.summary);
  return texts;
}

/// Blocks whose tensors have the seeds of the block that `order` names.
TestWeights shuffled_blocks(const std::string& layer, const std::vector<std::uint32_t>& order,
                            const std::string& q = "query", const std::string& k = "key") {
  TestWeights weights;
  for (std::size_t n = 0; n < order.size(); ++n) {
    const std::string at = layer + std::to_string(n) + ".";
    weights.random(at + q + ".weight", {4, 4}, 10 * order[n] + 1);
    weights.random(at + k + ".weight", {4, 4}, 10 * order[n] + 2);
    weights.constant(at + k + ".bias", {4}, 0);
  }
  return weights;
}

TEST(Exchange, OfTwoBlocksUnderTheSameNames) {
  const WeightComparison found =
      compare(shuffled_blocks("layer.", {0, 1, 2}), shuffled_blocks("layer.", {1, 0, 2}));
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_EQ(found.changed, 4U);
  EXPECT_EQ(found.renamed, 0U);
  EXPECT_THAT(found.rules, IsEmpty());
  EXPECT_THAT(summaries(found), ElementsAre("layer.0 and layer.1 are exchanged"));
  EXPECT_THAT(found.only_a, IsEmpty());
  EXPECT_EQ(found.matches[0].kind, MatchKind::exchanged);
}

TEST(Exchange, OfTwoBlocksUnderOtherNames) {
  const WeightComparison found = compare(shuffled_blocks("encoder.layer.", {0, 1, 2, 3}),
                                         shuffled_blocks("blocks.", {0, 2, 1, 3}, "q", "k"));
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_EQ(found.changed, 4U);
  EXPECT_THAT(summaries(found), ElementsAre("blocks.1 and blocks.2 are exchanged"));
}

TEST(Exchange, OfThreeBlocksIsOneSentence) {
  const WeightComparison found = compare(shuffled_blocks("layer.", {0, 1, 2, 3, 4}),
                                         shuffled_blocks("layer.", {0, 3, 1, 2, 4}));
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_THAT(summaries(found), ElementsAre("layer.1, 2, 3 hold what belongs to 3, 1, 2"));
  EXPECT_EQ(found.exchanges[0].names_a.size(), 6U);
}

TEST(Exchange, OfExpertsIsOneSentenceForAllLayers) {
  TestWeights a, b;
  const std::vector<std::uint32_t> order = {2, 0, 1};
  for (std::uint32_t layer = 0; layer < 2; ++layer) {
    for (std::uint32_t expert = 0; expert < 3; ++expert) {
      const std::string name =
          "layers." + std::to_string(layer) + ".experts." + std::to_string(expert) + ".w1.weight";
      a.random(name, {4, 4}, 10 * layer + expert);
      b.random(name, {4, 4}, 10 * layer + order[expert]);
    }
  }
  EXPECT_THAT(summaries(compare(a, b)),
              ElementsAre("layers.{n}.experts.* are exchanged among themselves, n = 0, 1"));
}

TEST(Exchange, OfQueryAndKeyUnderTheSameNames) {
  const WeightComparison found =
      compare(shuffled_blocks("layer.", {0, 1}), shuffled_blocks("layer.", {0, 1}, "key", "query"));
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_THAT(summaries(found), ElementsAre("key and query are exchanged in blocks 0, 1"));
}

TEST(Exchange, OfQueryAndKeyInEveryBlockUnderOtherNames) {
  const WeightComparison found = compare(shuffled_blocks("layer.", {0, 1}),
                                         shuffled_blocks("blocks.", {0, 1}, "k_proj", "q_proj"));
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_EQ(found.changed, 4U);
  EXPECT_THAT(summaries(found), ElementsAre("k_proj and q_proj are exchanged in blocks 0, 1"));
}

TEST(Exchange, OfQueryAndKeyInOneBlockUnderOtherNames) {
  TestWeights a = shuffled_blocks("layer.", {0, 1, 2});
  TestWeights b = shuffled_blocks("h.", {0, 1}, "alpha", "beta");
  b.random("h.2.alpha.weight", {4, 4}, 22).random("h.2.beta.weight", {4, 4}, 21);
  b.constant("h.2.beta.bias", {4}, 0);
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_EQ(found.changed, 2U);
  EXPECT_THAT(summaries(found), ElementsAre("alpha and beta are exchanged in block 2"));
}

/// Two stages of two blocks of two convolutions of one shape, each followed by a norm, with the
/// seeds that `order` names; `convolution` and `norm` are given the stage, the block and the
/// number.
template <typename Name>
TestWeights residual_stages(const Name& convolution, const Name& norm,
                            const std::vector<std::uint32_t>& order) {
  TestWeights weights;
  for (std::uint32_t i = 0; i < 8; ++i) {
    const std::uint32_t stage = i / 4, block = i / 2 % 2, n = i % 2;
    weights.random(convolution(stage, block, n) + ".weight", {4, 4, 3, 3}, 100 + order[i]);
    weights.random(norm(stage, block, n) + ".weight", {4}, 200 + order[i]);
    weights.random(norm(stage, block, n) + ".bias", {4}, 300 + order[i]);
  }
  return weights;
}

using NameOfThree = std::string (*)(std::uint32_t, std::uint32_t, std::uint32_t);
constexpr NameOfThree kHfConvolution = [](std::uint32_t s, std::uint32_t b, std::uint32_t n) {
  return "encoder.stages." + std::to_string(s) + ".layers." + std::to_string(b) + ".layer." +
         std::to_string(n) + ".convolution";
};
constexpr NameOfThree kHfNorm = [](std::uint32_t s, std::uint32_t b, std::uint32_t n) {
  return "encoder.stages." + std::to_string(s) + ".layers." + std::to_string(b) + ".layer." +
         std::to_string(n) + ".normalization";
};
constexpr NameOfThree kTvConvolution = [](std::uint32_t s, std::uint32_t b, std::uint32_t n) {
  return "layer" + std::to_string(s + 1) + "." + std::to_string(b) + ".conv" +
         std::to_string(n + 1);
};
constexpr NameOfThree kTvNorm = [](std::uint32_t s, std::uint32_t b, std::uint32_t n) {
  return "layer" + std::to_string(s + 1) + "." + std::to_string(b) + ".bn" + std::to_string(n + 1);
};

TEST(Exchange, IsNoneWhereTwoLibrariesCountInOtherWords) {
  const std::vector<std::uint32_t> order = {0, 1, 2, 3, 4, 5, 6, 7};
  const WeightComparison found = compare(residual_stages(kHfConvolution, kHfNorm, order),
                                         residual_stages(kTvConvolution, kTvNorm, order));
  EXPECT_EQ(found.verdict, WeightsVerdict::identical);
  EXPECT_EQ(found.renamed, 24U);
}

TEST(Exchange, OfLayersThatTwoLibrariesCountInOtherWords) {
  const WeightComparison found =
      compare(residual_stages(kHfConvolution, kHfNorm, {0, 1, 2, 3, 4, 5, 6, 7}),
              residual_stages(kTvConvolution, kTvNorm, {0, 1, 3, 2, 4, 5, 6, 7}));
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_EQ(found.changed, 6U);
  EXPECT_THAT(summaries(found), UnorderedElementsAre("bn1 and bn2 are exchanged in block 1",
                                                     "conv1 and conv2 are exchanged in block 1"));
}

TEST(Exchange, OfBlocksThatTwoLibrariesCountInOtherWords) {
  const WeightComparison found =
      compare(residual_stages(kHfConvolution, kHfNorm, {0, 1, 2, 3, 4, 5, 6, 7}),
              residual_stages(kTvConvolution, kTvNorm, {2, 3, 0, 1, 4, 5, 6, 7}));
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_THAT(summaries(found), ElementsAre("layer1.0 and layer1.1 are exchanged"));
}

TEST(Exchange, IsNoneWhereStagesAreCountedFromTheOtherEnd) {
  constexpr NameOfThree reversed = [](std::uint32_t s, std::uint32_t b, std::uint32_t n) {
    return "up" + std::to_string(1 - s) + "." + std::to_string(b) + ".conv" + std::to_string(n);
  };
  constexpr NameOfThree norm = [](std::uint32_t s, std::uint32_t b, std::uint32_t n) {
    return "up" + std::to_string(1 - s) + "." + std::to_string(b) + ".bn" + std::to_string(n);
  };
  const std::vector<std::uint32_t> order = {0, 1, 2, 3, 4, 5, 6, 7};
  EXPECT_EQ(compare(residual_stages(kHfConvolution, kHfNorm, order),
                    residual_stages(reversed, norm, order))
                .verdict,
            WeightsVerdict::identical);
}

TEST(Exchange, IsNoneWhereExpertsAreCountedBeforeBlocks) {
  TestWeights a, b;
  for (std::uint32_t block = 0; block < 2; ++block) {
    for (std::uint32_t expert = 0; expert < 2; ++expert) {
      const std::uint32_t seed = 10 * block + expert;
      a.random("h" + std::to_string(block) + ".expert" + std::to_string(expert) + ".weight", {4, 4},
               seed);
      b.random("e" + std::to_string(expert) + ".layer" + std::to_string(block) + ".weight", {4, 4},
               seed);
    }
  }
  EXPECT_EQ(compare(a, b).verdict, WeightsVerdict::identical);
}

TEST(Exchange, IsToldByRolesWhereNamesDoNot) {
  const auto weights = [](const std::string& x, const std::string& y, std::uint32_t seed_x,
                          std::uint32_t seed_y) {
    TestWeights made;
    made.random(x, {4}, seed_x).roles({"norm1"}).random(y, {4}, seed_y).roles({"norm2"});
    return made;
  };
  EXPECT_EQ(compare(weights("before", "after", 1, 2), weights("a", "b", 1, 2)).verdict,
            WeightsVerdict::identical);
  const WeightComparison found = compare(weights("before", "after", 1, 2), weights("a", "b", 2, 1));
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_EQ(found.changed, 2U);
}

TEST(Exchange, ABlockThatWasCopiedOverAnother) {
  const WeightComparison found =
      compare(shuffled_blocks("layer.", {0, 1}), shuffled_blocks("layer.", {0, 0}));
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_EQ(found.changed, 2U);
}

TEST(Exchange, IsNoneWhereOneSideCountsLayersWithoutWeights) {
  const auto layers = [](const std::vector<std::uint32_t>& numbers) {
    TestWeights weights;
    for (std::uint32_t i = 0; i < numbers.size(); ++i) {
      const std::string at = std::to_string(numbers[i]) + ".";
      weights.random(at + "weight", {4, 4}, 10 + i).constant(at + "bias", {4}, 0);
    }
    return weights;
  };
  const WeightComparison found = compare(layers({0, 1, 2}), layers({0, 2, 4}));
  EXPECT_EQ(found.verdict, WeightsVerdict::identical);
  EXPECT_EQ(found.renamed, 4U);
  EXPECT_THAT(summaries(found), IsEmpty());
  EXPECT_EQ(compare(layers({0, 2, 1}), layers({0, 1, 2})).verdict, WeightsVerdict::different);
}

TEST(Exchange, ABlockThatWasDroppedIsTheOneThatIsMissing) {
  const WeightComparison found =
      compare(shuffled_blocks("layer.", {0, 1, 2}), shuffled_blocks("layer.", {1, 2}));
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_EQ(found.changed, 0U);
  EXPECT_THAT(found.only_a, UnorderedElementsAre("layer.0.query.weight", "layer.0.key.weight",
                                                 "layer.0.key.bias"));
  EXPECT_THAT(summaries(found), IsEmpty());
  ASSERT_EQ(found.rules.size(), 2U);
  EXPECT_EQ(found.rules[0].from + found.rules[0].to, "layer.1.layer.0.");
}

TEST(Exchange, BlocksInAnotherOrderAreNotKept) {
  const WeightComparison found =
      compare(shuffled_blocks("layer.", {0, 1, 2}), shuffled_blocks("layer.", {2, 0}));
  EXPECT_EQ(found.changed, 4U);
  EXPECT_THAT(summaries(found), Not(IsEmpty()));
}

// Names that only one side has, numbers in the same order: counted from 1.
TEST(Exchange, CountingFromOneIsARenaming) {
  TestWeights b;
  for (std::uint32_t n = 0; n < 3; ++n) {
    const std::string at = "stage." + std::to_string(n + 1) + ".";
    b.random(at + "query.weight", {4, 4}, 10 * n + 1);
    b.random(at + "key.weight", {4, 4}, 10 * n + 2);
    b.random(at + "key.bias", {4}, 10 * n + 3);
  }
  TestWeights a;
  for (std::uint32_t n = 0; n < 3; ++n) {
    const std::string at = "layer." + std::to_string(n) + ".";
    a.random(at + "query.weight", {4, 4}, 10 * n + 1);
    a.random(at + "key.weight", {4, 4}, 10 * n + 2);
    a.random(at + "key.bias", {4}, 10 * n + 3);
  }
  EXPECT_EQ(compare(a, b).verdict, WeightsVerdict::identical);
}

}  // namespace
}  // namespace samebits
