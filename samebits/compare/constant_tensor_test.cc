#include "samebits/compare/constant_tensor.h"

#include <gmock/gmock.h>

#include "samebits/compare/test_weights.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST(ConstantTensor, OneElementThatIsAnotherIsFoundWhereverItIs) {
  for (const std::size_t size : {2U, 16U, 17U, 40'000U}) {
    std::vector<float> values(size, 1.5F);
    TestWeights weights;
    weights.add("same", {static_cast<std::int64_t>(size)}, values);
    values.back() = 1.25F;
    weights.add("last", {static_cast<std::int64_t>(size)}, values);
    const WeightSet set = weights.set();
    EXPECT_EQ(constant_value(set[0].view), 1.5) << size;
    EXPECT_FALSE(is_constant(set[1].view)) << size;
    EXPECT_FALSE(constant_value(set[1].view).has_value()) << size;
    EXPECT_TRUE(set.is_constant(0));
    EXPECT_FALSE(set.is_constant(1));
  }
}

TEST(ConstantTensor, OneElementOrNoneSaysNothing) {
  const WeightSet set = TestWeights().add("one", {1}, {7}).add("none", {0}, {}).set();
  EXPECT_TRUE(is_constant(set[0].view));
  EXPECT_TRUE(is_constant(set[1].view));
  EXPECT_FALSE(constant_value(set[1].view).has_value());
}

TEST(ConstantTensor, ValuesThatAreNowhereAreNoConstant) {
  const auto view = TensorView::valueless(DType::float32, {2});
  ASSERT_TRUE(view.has_value());
  EXPECT_FALSE(is_constant(*view));
  EXPECT_FALSE(constant_value(*view).has_value());
}

TEST(ConstantTensor, OfRepeatedElementsEachIsReadOnce) {
  const std::vector<std::uint8_t> bytes(4);
  const auto view =
      TensorView::make(DType::float32, {1'000'000, 1'000'000, 1'000}, {0, 0, 0}, 0, bytes);
  ASSERT_TRUE(view.has_value());
  EXPECT_TRUE(is_constant(*view));
}

// Each side holds one more tensor that shows that the files are related.
struct ConstantPair {
  TestWeights a = TestWeights().random("proj.weight", {4, 4}, 1);
  TestWeights b = TestWeights().random("proj.weight", {4, 4}, 1);
};

TEST(Constants, AloneOfTheirBytesArePairedByNoOtherName) {
  ConstantPair pair;
  pair.a.constant("attn.out.bias", {16}, 0);
  pair.b.constant("mlp.up.bias", {16}, 0);
  const WeightComparison found = compare(pair.a, pair.b);
  EXPECT_EQ(found.verdict, WeightsVerdict::different);
  EXPECT_EQ(found.renamed, 0U);
  EXPECT_THAT(found.only_a, ElementsAre("attn.out.bias"));
  EXPECT_THAT(found.only_b, ElementsAre("mlp.up.bias"));
}

TEST(Constants, AreNoFusionOfOthers) {
  ConstantPair pair;
  pair.a.constant("attn.out.bias", {16}, 0);
  pair.b.constant("mlp.up.bias", {8}, 0).constant("mlp.gate.bias", {8}, 0);
  for (const bool turned : {false, true}) {
    const WeightComparison found = compare(turned ? pair.b : pair.a, turned ? pair.a : pair.b);
    EXPECT_EQ(found.verdict, WeightsVerdict::different);
    EXPECT_EQ(found.matched, 1U);
    EXPECT_THAT(turned ? found.only_a : found.only_b,
                UnorderedElementsAre("mlp.up.bias", "mlp.gate.bias"));
  }
}

TEST(Constants, MakeUpNothingThatIsNone) {
  ConstantPair pair;
  pair.a.add("mixed", {4}, {0, 0, 1, 1});
  pair.b.constant("zeros", {2}, 0).constant("ones", {2}, 1);
  EXPECT_EQ(compare(pair.a, pair.b).matched, 1U);
  EXPECT_EQ(compare(pair.b, pair.a).matched, 1U);
}

TEST(Constants, OfAnotherShapeAreNotReshapedOrTransposed) {
  for (const Shape& shape : {Shape{8, 2}, Shape{16}, Shape{4, 4}}) {
    ConstantPair pair;
    pair.a.constant("head", {2, 8}, 1);
    pair.b.constant("head", shape, 1);
    const WeightComparison found = compare(pair.a, pair.b);
    EXPECT_EQ(found.verdict, WeightsVerdict::different);
    EXPECT_EQ(found.changed, 1U);
    EXPECT_EQ(found.matches[0].how, "shape [2, 8] became " + shape_text(shape));
  }
}

TEST(Constants, OfDimensionsOfOneMoreAreReshaped) {
  ConstantPair pair;
  pair.a.constant("gamma", {8}, 1);
  pair.b.constant("gamma", {1, 8, 1}, 1);
  const WeightComparison found = compare(pair.a, pair.b);
  EXPECT_EQ(found.verdict, WeightsVerdict::same_values);
}

TEST(Constants, AreTransposedWhereOthersAre) {
  TestWeights a = TestWeights().constant("head.kernel", {2, 8}, 0);
  TestWeights b = TestWeights().constant("head.weight", {8, 2}, 0);
  const std::vector<float> values = TestWeights::numbers(6, 5);
  a.add("body.kernel", {2, 3}, values);
  b.add("body.weight", {3, 2}, {values[0], values[3], values[1], values[4], values[2], values[5]});
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::same_values);
  EXPECT_EQ(found.matched, 2U);
}

TEST(Constants, OfANarrowerTypeAreNoRounding) {
  ConstantPair pair;
  pair.a.constant("first.scale", {4}, 1);
  pair.b.add_raw<std::uint16_t>("other.gain", DType::bfloat16, {4},
                                {0x3F80, 0x3F80, 0x3F80, 0x3F80});
  EXPECT_EQ(compare(pair.a, pair.b).matched, 1U);
}

TEST(Constants, InTheSamePlaceAreNotExchanged) {
  ConstantPair pair;
  pair.a.constant("norm1.weight", {4}, 1).constant("norm2.weight", {4}, 2);
  pair.b.constant("norm1.weight", {4}, 2).constant("norm2.weight", {4}, 1);
  const WeightComparison found = compare(pair.a, pair.b);
  EXPECT_THAT(found.exchanges, IsEmpty());
  EXPECT_EQ(found.changed, 2U);
}

TEST(Constants, FollowTheRulesOfTheOthers) {
  TestWeights a = TestWeights().random("layer.0.fc.weight", {4, 4}, 1);
  TestWeights b = TestWeights().random("net.blocks.0.fc.weight", {4, 4}, 1);
  a.constant("layer.0.norm.weight", {4}, 1).constant("layer.0.fc.bias", {4}, 0);
  b.constant("net.blocks.0.norm.weight", {4}, 1).constant("net.blocks.0.fc.bias", {4}, 0);
  const WeightComparison found = compare(a, b);
  EXPECT_EQ(found.verdict, WeightsVerdict::identical);
  EXPECT_EQ(found.renamed, 3U);
  for (const TensorMatch& match : found.matches) EXPECT_EQ(match.kind, MatchKind::renamed);
}

TEST(Constants, FollowTheNamesOfMergedWeights) {
  TestWeights a;
  TestWeights b;
  for (const std::string block : {"layer.0.", "layer.1."}) {
    const std::uint32_t seed = block == "layer.0." ? 1 : 10;
    for (const std::string proj : {"q_proj", "v_proj"}) {
      const std::string name = "model." + block + proj + ".base_layer.";
      const std::uint32_t own = seed + (proj == "q_proj" ? 0 : 1);
      a.random(name + "weight", {4, 4}, own).constant(name + "bias", {4}, 0);
      a.random("model." + block + proj + ".lora_A.weight", {1, 4}, own + 20);
      a.random("model." + block + proj + ".lora_B.weight", {4, 1}, own + 40);
      b.random(block + proj + ".weight", {4, 4}, own + 60).constant(block + proj + ".bias", {4}, 0);
    }
    a.random("model." + block + "fc.weight", {4, 8}, seed + 2);
    b.random(block + "fc.weight", {4, 8}, seed + 2);
  }
  const WeightComparison found = compare(a, b);
  EXPECT_THAT(found.only_b, IsEmpty());
  EXPECT_EQ(found.changed, 4U);
}

// Fresh norms under other names, where every other tensor has its partner.
TestWeights with_norms(const std::string& first, const std::string& second) {
  TestWeights weights;
  for (const std::string block : {"0.", "1."}) {
    weights.random(block + "fc.weight", {4, 4}, block == "0." ? 1 : 2);
    for (const std::string& norm : {first, second})
      weights.constant(block + norm + ".weight", {4}, 1).constant(block + norm + ".bias", {4}, 0);
  }
  return weights;
}

TEST(ConstantModules, ArePairedWhereAllElseIs) {
  const TestWeights a = with_norms("before", "after");
  const WeightComparison found = compare(a, with_norms("ln_x", "ln_y"));
  EXPECT_EQ(found.verdict, WeightsVerdict::identical);
  EXPECT_EQ(found.renamed, 8U);
  TestWeights more = with_norms("ln_x", "ln_y");
  more.constant("0.third.weight", {4}, 1).constant("0.third.bias", {4}, 0);
  EXPECT_EQ(compare(a, more).matched, 2U);
  EXPECT_EQ(compare(more, a).matched, 2U);
}

TEST(ConstantModules, ArePairedUnderOtherNumbers) {
  TestWeights a = TestWeights().random("head.weight", {4, 4}, 1);
  TestWeights b = TestWeights().random("head.weight", {4, 4}, 1);
  a.constant("fpn.0.1.weight", {4}, 1).constant("fpn.0.1.bias", {4}, 0);
  b.constant("fpn.stage.norm.weight", {4}, 1).constant("fpn.stage.norm.bias", {4}, 0);
  EXPECT_EQ(compare(a, b).verdict, WeightsVerdict::identical);
  b.constant("fpn.extra.weight", {4}, 1).constant("fpn.extra.bias", {4}, 0);
  EXPECT_EQ(compare(a, b).matched, 1U);
}

TEST(ConstantModules, StayApartWhereAnythingElseIsLeft) {
  TestWeights a = with_norms("before", "after");
  TestWeights b = with_norms("ln_x", "ln_y");
  a.random("head.weight", {3, 3}, 8);
  b.random("decoder.out", {5, 3}, 9);
  EXPECT_EQ(compare(a, b).matched, 2U);
}

TEST(ConstantModules, AloneShowNothing) {
  const TestWeights a = TestWeights().constant("x.weight", {4}, 1).constant("x.bias", {4}, 0);
  const TestWeights b = TestWeights().constant("y.weight", {4}, 1).constant("y.bias", {4}, 0);
  EXPECT_EQ(compare(a, b).matched, 0U);
}

}  // namespace
}  // namespace samebits
