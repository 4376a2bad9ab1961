// Values that torch 2.13 draws; tests/parity/rng_test.py compares many more with torch itself.
#include <cmath>

#include <gmock/gmock.h>

#include "samebits/base/test_float_mode.h"
#include "samebits/rng/distributions.h"
#include "samebits/rng/normal_blocks.h"

namespace samebits {
namespace {

using testing::ElementsAre;

std::vector<float> randn(CpuGenerator& generator, std::size_t n) {
  std::vector<float> values(n);
  normal(generator, 0, 1, values);
  return values;
}

TEST(CpuGenerator, DrawsWhatTorchDraws) {
  CpuGenerator generator(42);
  std::vector<float> values(3);
  uniform(generator, 0, 1, values);
  EXPECT_THAT(values, ElementsAre(0.88226926F, 0.91500396F, 0.38286376F));
}

// randn of few and of many, of both widths; dropout and init_linear.
std::vector<double> draws() {
  CpuGenerator generator(42);
  std::vector<double> all;
  for (const std::size_t count : {5U, 37U}) {
    std::vector<float> floats(count);
    std::vector<double> doubles(count);
    normal(generator, 0.1, 3, floats);
    normal(generator, 0.1, 3, doubles);
    all.insert(all.end(), floats.begin(), floats.end());
    all.insert(all.end(), doubles.begin(), doubles.end());
    init_linear(generator, 3, floats, floats);
    all.insert(all.end(), floats.begin(), floats.end());
    dropout_mask(generator, 0.3, floats);
    all.insert(all.end(), floats.begin(), floats.end());
  }
  return all;
}

TEST(CpuGenerator, DrawsTheSameInAnyFloatModeOfTheCaller) {
  const std::vector<double> wanted = draws();
  const OddFloatMode odd;
  const std::vector<double> found = draws();
  EXPECT_TRUE(odd.holds());
  EXPECT_EQ(found, wanted);
}

TEST(CpuGenerator, TakesTheLowHalfOfASeed) {
  CpuGenerator small(42);
  CpuGenerator large((std::uint64_t{1} << 32) + 42);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(small.random(), large.random());
}

TEST(CpuGenerator, AStateGoesOnWhereItWasTaken) {
  CpuGenerator generator(7);
  (void)randn(generator, 3);  // an odd number: one normal sample is kept
  const std::vector<std::uint8_t> state = generator.state();
  const std::vector<float> wanted = randn(generator, 5);
  CpuGenerator other;
  ASSERT_TRUE(other.set_state(state));
  EXPECT_EQ(other.initial_seed(), 7U);
  EXPECT_EQ(randn(other, 5), wanted);
}

TEST(CpuGenerator, AStateOfAnotherSizeIsAnError) {
  CpuGenerator generator;
  EXPECT_EQ(generator.set_state(std::vector<std::uint8_t>(5055)).error().code,
            ErrorCode::malformed);
}

TEST(CpuGenerator, AStateThatContradictsItselfIsAnError) {
  CpuGenerator generator(1);
  const std::vector<std::uint8_t> good = generator.state();
  for (const std::size_t at : {8U, 12U, 17U}) {  // left, seeded, next
    std::vector<std::uint8_t> bad = good;
    bad[at] = 0xFF;
    bad[at + 1] = 0xFF;
    EXPECT_FALSE(generator.set_state(bad)) << at;
  }
}

// torch gives and takes such states: after 624 draws nothing of the 624 words is left.
TEST(CpuGenerator, AStateAfterAnyNumberOfDrawsGoesOn) {
  CpuGenerator generator(5);
  for (int draws = 0; draws < 1300; ++draws) {
    CpuGenerator other;
    ASSERT_TRUE(other.set_state(generator.state())) << draws;
    ASSERT_EQ(generator.random(), other.random()) << draws;
  }
}

TEST(CpuGenerator, AStateThatWouldReadBehindItsWordsIsAnError) {
  CpuGenerator generator(1);
  std::vector<std::uint8_t> bad = generator.state();
  bad[8] = 100;          // left
  bad[16] = 600 & 0xFF;  // next
  bad[17] = 600 >> 8;
  EXPECT_FALSE(generator.set_state(bad));
}

TEST(Normal, FewAreDrawnOneByOneAndManyInBlocks) {
  CpuGenerator generator(42);
  EXPECT_THAT(randn(generator, 4), ElementsAre(0.33669037F, 0.12880941F, 0.23446237F, 0.23033303F));
  generator.manual_seed(42);
  const std::vector<float> many = randn(generator, 16);
  EXPECT_EQ(many[0], 1.9269153F);
  EXPECT_EQ(many[1], 1.4872841F);
}

TEST(Normal, ASampleIsKeptAcrossABlockFill) {
  CpuGenerator one(42);
  (void)randn(one, 3);
  (void)randn(one, 100);
  CpuGenerator two(42);
  const std::vector<float> four = randn(two, 4);
  EXPECT_EQ(randn(one, 1)[0], four[3]);
}

TEST(Normal, IsFiniteAtTheEndsOfTheInterval) {
  std::array<float, 16> samples{};
  samples[1] = 1 - 0x1p-24F;
  samples[8] = 1 - 0x1p-24F;
  normal_block(samples, 0, 1);
  for (const float value : samples) EXPECT_TRUE(std::isfinite(value));
}

TEST(Randperm, IsAPermutation) {
  CpuGenerator generator(42);
  std::vector<std::int64_t> order = randperm(generator, 1000);
  std::sort(order.begin(), order.end());
  for (std::size_t i = 0; i < order.size(); ++i) EXPECT_EQ(order[i], static_cast<std::int64_t>(i));
  EXPECT_TRUE(randperm(generator, 0).empty());
}

TEST(DropoutMask, IsZeroOrTheInverseOfWhatIsKept) {
  CpuGenerator generator(42);
  std::vector<float> mask(1000);
  dropout_mask(generator, 0.5, mask);
  for (const float factor : mask) EXPECT_TRUE(factor == 0 || factor == 2);
}

}  // namespace
}  // namespace samebits
