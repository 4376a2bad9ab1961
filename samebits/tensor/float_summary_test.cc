#include "samebits/tensor/float_summary.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace samebits {
namespace {

using ::testing::DoubleNear;

Bytes bytes_of(const std::vector<float>& values) {
  return {reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * sizeof(float)};
}

std::vector<float> some_values(std::size_t count) {
  std::vector<float> values;
  for (std::size_t i = 0; i < count; ++i)
    values.push_back(std::sin(static_cast<float>(i)) * static_cast<float>(1 + i % 7));
  return values;
}

TEST(FloatSummary, IsWhatALoopOverTheElementsGives) {
  for (const std::size_t count : {1u, 15u, 16u, 17u, 8192u, 8193u, 100'003u}) {
    const std::vector<float> values = some_values(count);
    double sum = 0;
    double squares = 0;
    float least = values[0];
    float greatest = values[0];
    for (const float value : values) {
      sum += double{value};
      squares += double{value} * double{value};
      least = std::min(least, value);
      greatest = std::max(greatest, value);
    }
    const FloatSummary found = summarize_float32(bytes_of(values), 1);
    EXPECT_EQ(found.elements, count);
    EXPECT_EQ(found.not_finite, 0u);
    EXPECT_THAT(found.mean, DoubleNear(sum / static_cast<double>(count), 1e-12));
    EXPECT_THAT(found.norm, DoubleNear(std::sqrt(squares), 1e-9));
    EXPECT_EQ(found.least, least);
    EXPECT_EQ(found.greatest, greatest);
    EXPECT_EQ(found.digest, fast_digest(bytes_of(values)));
  }
}

TEST(FloatSummary, LeavesOutWhatIsNotFinite) {
  std::vector<float> values = some_values(40'000);
  values[3] = std::numeric_limits<float>::quiet_NaN();
  values[17] = std::numeric_limits<float>::infinity();
  values[39'999] = -std::numeric_limits<float>::infinity();
  std::vector<float> zeros = values;
  for (const std::size_t i : {3u, 17u, 39'999u}) zeros[i] = 0;
  const FloatSummary found = summarize_float32(bytes_of(values), 1);
  const FloatSummary expected = summarize_float32(bytes_of(zeros), 1);
  EXPECT_EQ(found.not_finite, 3u);
  EXPECT_EQ(found.norm, expected.norm);
  EXPECT_THAT(found.mean, DoubleNear(expected.mean * 40'000 / 39'997, 1e-12));
  EXPECT_EQ(found.least, expected.least);
  EXPECT_EQ(found.greatest, expected.greatest);
  EXPECT_EQ(found.digest, fast_digest(bytes_of(values)));
}

TEST(FloatSummary, OfNothingFiniteIsZero) {
  const FloatSummary none = summarize_float32({}, 1);
  EXPECT_EQ(none.elements, 0u);
  EXPECT_EQ(none.digest, fast_digest(Bytes()));
  const FloatSummary all = summarize_float32(bytes_of({std::nanf(""), -INFINITY}), 1);
  EXPECT_EQ(all.not_finite, 2u);
  EXPECT_EQ(all.mean, 0);
  EXPECT_EQ(all.least, 0);
}

TEST(FloatSummary, DoesNotOverflowWhereElementsDoNot) {
  const FloatSummary found = summarize_float32(bytes_of(std::vector<float>(1000, 3e38f)), 1);
  EXPECT_THAT(found.mean, DoubleNear(double{3e38f}, 1e24));
  EXPECT_THAT(found.norm, DoubleNear(double{3e38f} * std::sqrt(1000.0), 1e26));
}

TEST(FloatSummary, OfALongTensorDoesNotDependOnThreads) {
  const std::vector<float> values = some_values(1'000'003);
  const FloatSummary one = summarize_float32(bytes_of(values), 1);
  const FloatSummary two = summarize_float32(bytes_of(values), 2);
  EXPECT_EQ(one.digest, two.digest);
  EXPECT_EQ(one.digest, fast_digest(bytes_of(values)));
  EXPECT_EQ(one.mean, two.mean);
  EXPECT_EQ(one.norm, two.norm);
}

TEST(FloatSummary, TakesBytesAtAnyAddress) {
  const std::vector<float> values = some_values(1000);
  std::vector<std::uint8_t> shifted(values.size() * sizeof(float) + 1);
  std::memcpy(shifted.data() + 1, values.data(), shifted.size() - 1);
  const FloatSummary found = summarize_float32(Bytes(shifted).subspan(1), 1);
  EXPECT_EQ(found.mean, summarize_float32(bytes_of(values), 1).mean);
}

}  // namespace
}  // namespace samebits
