#include "samebits/base/float_mode.h"

#include <limits>

#include <gtest/gtest.h>

#include "samebits/base/json.h"
#include "samebits/base/parallel.h"
#include "samebits/base/test_float_mode.h"

namespace samebits {
namespace {

// Volatile: computed when the program runs, in the mode of that moment.
volatile float smallest = std::numeric_limits<float>::min();
volatile float third = 1.0F;

bool rounds_and_keeps_subnormals() {
  const float half = smallest / 2;
  volatile float again = half;
  return again * 2 == smallest && third / 3.0F == 0x1.555556p-2F;
}

TEST(FloatMode, IsTheContractsWhateverTheCallers) {
  const OddFloatMode odd;
  ASSERT_TRUE(odd.holds());
  EXPECT_FALSE(rounds_and_keeps_subnormals());
  {
    const FloatMode contract;
    EXPECT_TRUE(rounds_and_keeps_subnormals());
    {
      const FloatMode again;
      EXPECT_TRUE(rounds_and_keeps_subnormals());
    }
    EXPECT_TRUE(rounds_and_keeps_subnormals());
  }
  EXPECT_TRUE(odd.holds());
}

TEST(FloatMode, TheCallersFlagsAndTrapsAreAsTheyWere) {
  const OddFloatMode odd;
  std::feclearexcept(FE_ALL_EXCEPT);
  {
    const FloatMode contract;
    volatile float zero = 0;
    [[maybe_unused]] volatile float infinite = 1 / zero;
  }
  EXPECT_EQ(std::fetestexcept(FE_DIVBYZERO), 0);
}

TEST(FloatMode, EveryItemOfALoopHasIt) {
  const OddFloatMode odd;
  for (const int threads : {1, 3}) {
    std::vector<int> right(50, 0);
    parallel_for(right.size(), threads,
                 [&](std::size_t i) { right[i] = rounds_and_keeps_subnormals() ? 1 : 0; });
    EXPECT_EQ(right, std::vector<int>(50, 1)) << threads << " threads";
  }
  EXPECT_TRUE(odd.holds());
}

TEST(FloatMode, NumbersOfAJsonTextAreReadInIt) {
  const std::string text = "[0.1, 1e-310, 0.3, 1.7976931348623157e308]";
  const auto read = [&] {
    return parse_json({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, "x");
  };
  const Result<Json> wanted = read();
  const OddFloatMode odd;
  const Result<Json> found = read();
  EXPECT_TRUE(odd.holds());
  const FloatMode contract;
  ASSERT_TRUE(found && wanted);
  EXPECT_EQ(*found, *wanted);
}

}  // namespace
}  // namespace samebits
