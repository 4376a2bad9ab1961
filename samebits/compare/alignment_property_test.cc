// Random models under random renamings: always identical, and every tensor with its own partner.
#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>

#include "samebits/compare/alignment.h"
#include "samebits/compare/test_weights.h"

namespace samebits {
namespace {

/// Draws the same numbers everywhere.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::size_t below(std::size_t n) {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::size_t>(state_ >> 33) % n;
  }
  bool one_in(std::size_t n) { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

/// One kind of tensor: its names on both sides, "{n}" for the block.
struct Kind {
  std::string a, b;
  Shape shape;
  int constant = -1;  // 0, 1: all elements; -1: random
  bool in_block = true;
};

std::string word(Draw& draw, std::size_t number, const char* letters) {
  std::string text(1, letters[draw.below(std::char_traits<char>::length(letters))]);
  return text + "w" + std::to_string(number) + "x";
}

std::string filled(std::string name, std::size_t n) {
  const std::size_t at = name.find("{n}");
  return at == std::string::npos ? name : name.replace(at, 3, std::to_string(n));
}

/// Layers whose name, module name and parameter name differ at random between the two sides.
std::vector<Kind> kinds_of(Draw& draw) {
  const std::string prefix_a = draw.one_in(2) ? "model." : "";
  const std::string prefix_b = draw.one_in(2) ? "net.inner." : "";
  const std::string block_a = "encoder.layer.{n}.";
  const std::string block_b = draw.one_in(2) ? block_a : "blocks.{n}.";
  std::vector<Kind> kinds;
  const std::size_t layers = 2 + draw.below(5);
  for (std::size_t i = 0; i < layers; ++i) {
    const bool in_block = !draw.one_in(4);
    const std::string name = word(draw, i, "abc");
    const std::string other = draw.one_in(2) ? name : word(draw, i + 20, "rst");
    const Shape weight = {static_cast<std::int64_t>(2 + draw.below(2)), 4};
    const int constant = draw.one_in(4) ? static_cast<int>(draw.below(2)) : -1;
    const auto add = [&](const std::string& leaf, const Shape& shape, int value) {
      kinds.push_back({prefix_a + (in_block ? block_a : "") + name + "." + leaf,
                       prefix_b + (in_block ? block_b : "") + other + "." + leaf, shape, value,
                       in_block});
    };
    add("weight", weight, constant);
    add("bias", {weight[0]}, draw.one_in(2) ? 0 : -1);
  }
  // What teaches the rules of the others.
  kinds.push_back(
      {prefix_a + block_a + "anchor.weight", prefix_b + block_b + "anchor.weight", {3}, -1, true});
  return kinds;
}

void add(TestWeights& weights, const std::string& name, const Kind& kind, std::uint32_t seed) {
  if (kind.constant < 0) {
    weights.random(name, kind.shape, seed);
  } else {
    weights.constant(name, kind.shape, static_cast<float>(kind.constant));
  }
}

class RandomRenaming : public testing::TestWithParam<int> {};

TEST_P(RandomRenaming, IsIdenticalAndPairsWhatBelongsTogether) {
  Draw draw(static_cast<std::uint64_t>(GetParam()));
  const std::vector<Kind> kinds = kinds_of(draw);
  const std::size_t blocks = 1 + draw.below(12);
  struct Tensor {
    std::string a, b;
    const Kind* kind;
    std::uint32_t seed;
  };
  std::vector<Tensor> tensors;
  for (const Kind& kind : kinds) {
    for (std::size_t n = 0; n < (kind.in_block ? blocks : 1); ++n)
      tensors.push_back({filled(kind.a, n), filled(kind.b, n), &kind,
                         static_cast<std::uint32_t>(tensors.size() + 1)});
  }
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = order.size(); i-- > 1;) std::swap(order[i], order[draw.below(i + 1)]);

  TestWeights a;
  TestWeights b;
  for (const Tensor& tensor : tensors) add(a, tensor.a, *tensor.kind, tensor.seed);
  for (const std::size_t i : order) add(b, tensors[i].b, *tensors[i].kind, tensors[i].seed);
  const WeightComparison found = compare(a, b);
  ASSERT_EQ(found.verdict, WeightsVerdict::identical);
  EXPECT_EQ(found.matched, tensors.size());
  std::size_t wrong = 0;
  for (const TensorMatch& match : found.matches) {
    const bool random = tensors[match.a[0]].kind->constant < 0;
    if (random) {
      EXPECT_EQ(order[match.b[0]], match.a[0]) << tensors[match.a[0]].a;
    }
    wrong += order[match.b[0]] == match.a[0] ? 0 : 1;
  }
  // Constants whose layer has no random tensor can only be guessed.
  EXPECT_LE(wrong, tensors.size() / 2);
}

TEST_P(RandomRenaming, WithOneChangedTensorIsDifferentInThatOne) {
  Draw draw(static_cast<std::uint64_t>(GetParam()) + 1000);
  const std::vector<Kind> kinds = kinds_of(draw);
  TestWeights a;
  TestWeights b;
  std::uint32_t seed = 0;
  const std::size_t blocks = 2 + draw.below(4);
  for (const Kind& kind : kinds) {
    for (std::size_t n = 0; n < (kind.in_block ? blocks : 1); ++n) {
      ++seed;
      const bool is_changed = &kind == &kinds.back() && n == 1;
      add(a, filled(kind.a, n), kind, seed);
      add(b, filled(kind.b, n), kind, is_changed ? 5000 : seed);
    }
  }
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_EQ(found.changed, 1U);
  EXPECT_TRUE(found.only_a.empty() && found.only_b.empty());
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomRenaming, testing::Range(0, 150));

}  // namespace
}  // namespace samebits
