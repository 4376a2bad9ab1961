// The statistics of every type held against a plain reading of what they mean, and the loops of one
// instruction set against those of another.
#include "samebits/compare/stats_loops.h"

#include <cmath>
#include <cstring>
#include <set>

#include <gmock/gmock.h>

#include "samebits/compare/exact_number.h"
#include "samebits/compare/rounding.h"
#include "samebits/compare/test_weights.h"

namespace samebits {
namespace {

struct Meaning {
  std::uint64_t differing = 0, unequal = 0, first = 0, nan_a = 0, inf_b = 0;
  double max_abs = 0, max_relative = 0;
  long double sum = 0, dot = 0, a = 0, b = 0, square = 0;
  std::set<std::size_t> rows;
};

Meaning meaning_of(const std::vector<std::uint8_t>& a, DType type_a,
                   const std::vector<std::uint8_t>& b, DType type_b, std::size_t row) {
  Meaning found;
  const std::size_t count = a.size() / itemsize(type_a);
  for (std::size_t i = 0; i < count; ++i) {
    const ExactNumber x = exact_number(type_a, &a[i * itemsize(type_a)]);
    const ExactNumber y = exact_number(type_b, &b[i * itemsize(type_b)]);
    const bool equal = equal_numbers(x, y);
    const bool bits =
        type_a == type_b
            ? std::memcmp(&a[i * itemsize(type_a)], &b[i * itemsize(type_b)], itemsize(type_a)) != 0
            : !equal || (x.value == 0 && std::signbit(x.value) != std::signbit(y.value));
    if (bits && found.differing++ == 0) found.first = i;
    if (bits) found.rows.insert(i / row);
    found.unequal += equal ? 0 : 1;
    found.nan_a += std::isnan(x.value) ? 1 : 0;
    found.inf_b += std::isinf(y.value) ? 1 : 0;
    if (!std::isfinite(x.value) || !std::isfinite(y.value)) continue;
    found.dot += x.value * y.value;
    found.a += x.value * x.value;
    found.b += y.value * y.value;
    if (equal) continue;
    const double gap = distance(x, y);
    found.sum += gap;
    found.square += gap * gap;
    found.max_abs = std::max(found.max_abs, gap);
    found.max_relative =
        std::max(found.max_relative, gap / std::max(std::fabs(x.value), std::fabs(y.value)));
  }
  return found;
}

// Random bits; of 64-bit floats small ones, whose squares do not overflow.
std::vector<std::uint8_t> random_bytes(DType type, std::size_t count, std::uint32_t seed) {
  std::vector<std::uint8_t> bytes(count * itemsize(type));
  std::uint64_t state = seed;
  for (std::uint8_t& byte : bytes) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    byte = static_cast<std::uint8_t>(state >> 56);
    if (type == DType::boolean) byte &= 1;
  }
  for (std::size_t i = 7; type == DType::float64 && i < bytes.size(); i += 8)
    bytes[i] = static_cast<std::uint8_t>((bytes[i] & 0x80) | 0x3F);
  return bytes;
}

void expect_meaning(DType type_a, DType type_b, std::int64_t rows, std::int64_t columns, bool few) {
  const auto count = static_cast<std::size_t>(rows * columns);
  const std::vector<std::uint8_t> a = random_bytes(type_a, count, 1);
  std::vector<std::uint8_t> b = random_bytes(type_b, count, few ? 1 : 2);
  if (few) b[b.size() * 2 / 3] ^= 1;
  const auto view = [&](DType type, const std::vector<std::uint8_t>& bytes) {
    return *TensorView::make(type, {rows, columns}, contiguous_strides({rows, columns}), 0, bytes);
  };
  const ValueRelation found = relate_values({{view(type_a, a), view(type_b, b)}}, 2)[0];
  const Meaning meant = meaning_of(a, type_a, b, type_b, static_cast<std::size_t>(columns));
  SCOPED_TRACE(std::string(info(type_a).torch) + " " + std::string(info(type_b).torch) +
               (few ? " few" : ""));
  EXPECT_EQ(found.stats.differing, meant.differing);
  EXPECT_EQ(found.stats.first, meant.first);
  EXPECT_EQ(found.equal_numbers, meant.unequal == 0);
  EXPECT_EQ(found.stats.rows_differing, meant.rows.size());
  EXPECT_EQ(found.stats.max_abs, meant.max_abs);
  EXPECT_EQ(found.stats.max_relative, meant.max_relative);
  EXPECT_EQ(found.stats.nan_a, meant.nan_a);
  EXPECT_EQ(found.stats.inf_b, meant.inf_b);
  const auto near = [](double value, long double wanted) {
    EXPECT_NEAR(value, static_cast<double>(wanted), 1e-9 * std::fabs(static_cast<double>(wanted)));
  };
  near(found.stats.mean_abs, meant.sum / static_cast<double>(count));
  near(found.stats.norm_ratio, std::sqrt(meant.b / meant.a));
  if (!std::isinf(found.stats.relative_norm))
    near(found.stats.relative_norm, std::sqrt(meant.square / meant.a));
  EXPECT_NEAR(found.stats.cosine, static_cast<double>(meant.dot / std::sqrt(meant.a * meant.b)),
              1e-9);
}

constexpr DType kNumeric[] = {DType::float64,     DType::float32,         DType::float16,
                              DType::bfloat16,    DType::float8_e4m3fn,   DType::float8_e4m3fnuz,
                              DType::float8_e5m2, DType::float8_e5m2fnuz, DType::int64,
                              DType::int32,       DType::int16,           DType::int8,
                              DType::uint64,      DType::uint32,          DType::uint16,
                              DType::uint8,       DType::boolean};

TEST(StatsLoops, MeanWhatTheyMeanForEveryPairOfTypes) {
  for (const DType a : kNumeric) {
    for (const DType b : kNumeric) expect_meaning(a, b, 37, 43, false);
    expect_meaning(a, a, 37, 43, true);
    expect_meaning(a, a, 1591, 1, false);
  }
}

// Beyond a million elements, pairs of codes are counted.
TEST(StatsLoops, MeanTheSameForManyElementsOfOneByte) {
  expect_meaning(DType::float8_e4m3fn, DType::float8_e4m3fn, 1031, 1021, false);
  expect_meaning(DType::float8_e5m2, DType::float8_e5m2, 1031, 1021, true);
  expect_meaning(DType::int8, DType::uint8, 1031, 1021, false);
  expect_meaning(DType::uint8, DType::uint8, 1031, 1021, false);
}

TEST(StatsLoops, HaveTheSameBitsForEveryInstructionSet) {
  const StatsLoops& best = stats_loops();
  const StatsLoops& plain = kPlainStatsLoops;
  alignas(64) double x[2][kLoopRun];
  alignas(64) double y[2][kLoopRun];
  const std::vector<float> numbers_a = TestWeights::numbers(kLoopRun, 1);
  const std::vector<float> numbers_b = TestWeights::numbers(kLoopRun, 2);
  const auto bytes = [](const std::vector<float>& values) {
    return reinterpret_cast<const unsigned char*>(values.data());
  };
  PairSums sums[2];
  const StatsLoops* loops[2] = {&plain, &best};
  PairCounts counts[2];
  for (int k = 0; k < 2; ++k) {
    loops[k]->widen(Stored::f32, bytes(numbers_a), kLoopRun, nullptr, x[k]);
    loops[k]->widen(Stored::f32, bytes(numbers_b), kLoopRun, nullptr, y[k]);
    counts[k] = loops[k]->pairs(x[k], y[k], kLoopRun, 1.5, &sums[k]);
    loops[k]->squares(x[k], kLoopRun, sums[k].dot);
  }
  EXPECT_EQ(std::memcmp(&sums[0], &sums[1], sizeof(PairSums)), 0);
  EXPECT_EQ(counts[0].unequal, counts[1].unequal);
  EXPECT_EQ(counts[0].above, counts[1].above);
  for (const std::size_t item : {1U, 2U, 4U, 8U}) {
    EXPECT_EQ(best.largest_ulp(bytes(numbers_a), bytes(numbers_b), 100, item),
              plain.largest_ulp(bytes(numbers_a), bytes(numbers_b), 100, item));
  }
}

TEST(StatsLoops, RoundAsOneNumberIsRounded) {
  const std::vector<std::uint8_t> bytes = random_bytes(DType::float32, 20'000, 5);
  std::vector<double> numbers;
  for (std::size_t i = 0; i < bytes.size(); i += 4)
    numbers.push_back(element_as_double(DType::float32, &bytes[i]));
  for (int exponent = -30; exponent < 20; ++exponent) {
    for (int step = -20; step < 20; ++step)
      numbers.push_back(std::ldexp(1 + step / 64.0, exponent) * (step % 2 == 0 ? 1 : -1));
  }
  for (const double edge : std::initializer_list<double>{
           0.0, -0.0, 65504.0, 65519.9, 65520.0, 448.0, 464.0, 465.0, 240.0, 248.0, 57344.0,
           61440.0, 1e39, -1e39, INFINITY, -INFINITY, NAN})
    numbers.push_back(edge);
  for (const DType type :
       {DType::float64, DType::float32, DType::float16, DType::bfloat16, DType::float8_e4m3fn,
        DType::float8_e5m2, DType::float8_e4m3fnuz, DType::float8_e5m2fnuz}) {
    std::vector<double> rounded = numbers;
    round_all(type, rounded);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const double wanted = round_to(type, numbers[i]);
      const bool both_nan = std::isnan(wanted) && std::isnan(rounded[i]);
      const bool same = wanted == rounded[i] && std::signbit(wanted) == std::signbit(rounded[i]);
      wrong += both_nan || same ? 0 : 1;
    }
    EXPECT_EQ(wrong, 0U) << info(type).torch;
  }
}

}  // namespace
}  // namespace samebits
