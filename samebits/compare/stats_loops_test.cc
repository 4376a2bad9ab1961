// The statistics of every type held against a plain reading of what they mean, and the loops of one
// instruction set against those of another.
#include "samebits/compare/stats_loops.h"

#include <cmath>
#include <cstring>
#include <set>

#include <gmock/gmock.h>

#include "samebits/compare/exact_number.h"
#include "samebits/compare/number_block.h"
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

void expect_same_relative(DType type, const std::vector<std::uint8_t>& a,
                          const std::vector<std::uint8_t>& b) {
  const auto count = static_cast<std::int64_t>(a.size() / itemsize(type));
  const auto view = [&](const std::vector<std::uint8_t>& bytes) {
    return *TensorView::make(type, {count}, {1}, 0, bytes);
  };
  const TensorStats stats = relate_values({{view(a), view(b)}}, 1)[0].stats;
  EXPECT_EQ(stats.max_relative, meaning_of(a, type, b, type, 1).max_relative) << info(type).torch;
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

// Steps of the type from zero, with the sign.
std::int64_t steps_of(const std::uint8_t* raw, std::size_t item) {
  std::uint64_t code = 0;
  std::memcpy(&code, raw, item);
  const std::uint64_t sign = 1ull << (8 * item - 1);
  const auto size = static_cast<std::int64_t>(code & ~sign);
  return (code & sign) != 0 ? -size : size;
}

TEST(StatsLoops, FindTheLargestStepAmongWhatIsNotFinite) {
  for (const DType type : {DType::float32, DType::float16, DType::bfloat16, DType::float8_e4m3fn,
                           DType::float8_e5m2, DType::float8_e5m2fnuz}) {
    const std::size_t item = itemsize(type);
    const std::vector<std::uint8_t> a = random_bytes(type, 3000, 4);
    std::vector<std::uint8_t> b = a;
    std::uint64_t wanted = 0;
    for (std::size_t i = 0; i < 3000; ++i) {
      b[i * item] = static_cast<std::uint8_t>(b[i * item] ^ (i % 40 == 0 ? 6 : 1));
      if (!std::isfinite(element_as_double(type, &a[i * item])) ||
          !std::isfinite(element_as_double(type, &b[i * item])))
        continue;
      const std::int64_t step = steps_of(&a[i * item], item) - steps_of(&b[i * item], item);
      wanted = std::max(wanted, static_cast<std::uint64_t>(std::abs(step)));
    }
    const auto view = [&](const std::vector<std::uint8_t>& bytes) {
      return *TensorView::make(type, {30, 100}, {100, 1}, 0, bytes);
    };
    const TensorStats stats = relate_values({{view(a), view(b)}}, 1)[0].stats;
    EXPECT_EQ(stats.max_ulp, wanted) << info(type).torch;
  }
}

// Its codes are exponents without a sign: 0x80 is no minus zero, and 0x00 is no zero.
TEST(StatsLoops, CountNoStepsOfAnExponent) {
  const std::vector<std::uint8_t> a = {0x7F, 0x00, 0x81};
  const std::vector<std::uint8_t> b = {0x80, 0x80, 0x81};
  const auto view = [](const std::vector<std::uint8_t>& bytes) {
    return *TensorView::make(DType::float8_e8m0fnu, {3}, {1}, 0, bytes);
  };
  const ValueRelation found = relate_values({{view(a), view(b)}}, 1)[0];
  EXPECT_FALSE(found.stats.max_ulp.has_value());
  EXPECT_EQ(found.stats.differing, 2U);
  EXPECT_EQ(found.minus_zeros, 0U);
}

// Small changes, whose quotients are near one another or the same; then zeros, and other signs.
TEST(StatsLoops, FindTheLargestRelativeDistanceAmongNearOnes) {
  for (const DType type : {DType::float16, DType::bfloat16, DType::float8_e4m3fn,
                           DType::float8_e4m3fnuz, DType::float8_e5m2, DType::float8_e5m2fnuz}) {
    const std::size_t item = itemsize(type);
    const std::size_t count = 8 * kLoopRun;
    for (const std::uint8_t change : std::initializer_list<std::uint8_t>{1, 3, 7}) {
      std::vector<std::uint8_t> a = random_bytes(type, count, change);
      for (std::size_t i = item - 1; i < a.size(); i += item)
        a[i] = static_cast<std::uint8_t>(item == 1 ? 0x20 | (a[i] & 0x1F) : 0x3C | (a[i] & 3));
      std::vector<std::uint8_t> b = a;
      for (std::size_t i = 0; i < b.size(); i += item)
        b[i] = static_cast<std::uint8_t>(b[i] ^ (i / item % 5 == 0 ? change : 1));
      expect_same_relative(type, a, b);
      b[(count / 2) * item] = b[(count / 2) * item + item - 1] = 0;
      expect_same_relative(type, a, b);
      a.back() = type == DType::bfloat16 ? 0x3C : 0x3B;  // then a little more than 1
      b.back() = type == DType::bfloat16 ? 0xBA : 0x98;
      expect_same_relative(type, a, b);
    }
  }
}

TEST(StatsLoops, MeanTheSameForManyElementsOfOneByte) {
  expect_meaning(DType::float8_e4m3fn, DType::float8_e4m3fn, 1031, 1021, false);
  expect_meaning(DType::float8_e5m2, DType::float8_e5m2, 1031, 1021, true);
  expect_meaning(DType::int8, DType::uint8, 1031, 1021, false);
  expect_meaning(DType::uint8, DType::uint8, 1031, 1021, false);
}

// Those that this machine can run, but for the plain ones.
std::vector<const StatsLoops*> vector_loops() {
  std::vector<const StatsLoops*> found;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) found.push_back(&kAvx2StatsLoops);
  if (have_avx512()) found.push_back(&kAvx512StatsLoops);
#endif
  return found;
}

struct PairResult {
  PairSums sums;
  PairCounts counts;
  bool above = false;
  double largest_relative = 0;
};

PairResult result_of(const StatsLoops& loops, DType type, const std::vector<std::uint8_t>& a,
                     const std::vector<std::uint8_t>& b) {
  alignas(64) double x[kLoopRun];
  alignas(64) double y[kLoopRun];
  loops.widen(stored_as(type), a.data(), kLoopRun, code_table(type), x);
  loops.widen(stored_as(type), b.data(), kLoopRun, code_table(type), y);
  for (std::size_t i = 0; i < kLoopRun; ++i) {
    if (!std::isfinite(x[i]) || !std::isfinite(y[i])) x[i] = y[i] = 0;
  }
  PairResult result;
  result.above = loops.pairs(x, y, kLoopRun, 1.5, &result.sums);
  result.counts = loops.counts(x, y, kLoopRun);
  loops.squares(x, kLoopRun, result.sums.dot);
  result.largest_relative = loops.largest_relative(x, y, kLoopRun);
  return result;
}

TEST(StatsLoops, HaveTheSameBitsForEveryInstructionSet) {
  for (const DType type : kNumeric) {
    const std::vector<std::uint8_t> a = random_bytes(type, kLoopRun, 1);
    std::vector<std::uint8_t> b = random_bytes(type, kLoopRun, 2);
    std::copy_n(a.begin(), a.size() / 3, b.begin());
    const PairResult plain = result_of(kPlainStatsLoops, type, a, b);
    for (const StatsLoops* loops : vector_loops()) {
      SCOPED_TRACE(info(type).torch);
      const PairResult found = result_of(*loops, type, a, b);
      EXPECT_EQ(std::memcmp(&found.sums, &plain.sums, sizeof(PairSums)), 0);
      EXPECT_EQ(found.counts.differing, plain.counts.differing);
      EXPECT_EQ(found.counts.unequal, plain.counts.unequal);
      EXPECT_EQ(found.above, plain.above);
      EXPECT_EQ(found.largest_relative, plain.largest_relative);
      const std::size_t item = itemsize(type);
      const StepCounts steps = loops->steps(a.data(), b.data(), kLoopRun, item);
      const StepCounts wanted = kPlainStatsLoops.steps(a.data(), b.data(), kLoopRun, item);
      EXPECT_EQ(steps.largest, wanted.largest);
      EXPECT_EQ(steps.differing, wanted.differing);
      EXPECT_EQ(steps.unequal, wanted.unequal);
    }
  }
}

TEST(StatsLoops, CountTheSameInBytesForEveryInstructionSet) {
  const std::vector<std::uint8_t> a = random_bytes(DType::uint8, kLoopRun, 1);
  const std::vector<std::uint8_t> b = random_bytes(DType::uint8, kLoopRun, 2);
  for (const StatsLoops* loops : vector_loops()) {
    for (const bool is_signed : {false, true}) {
      const auto sums = [&](const StatsLoops& by) {
        return by.bytes(a.data(), is_signed, b.data(), is_signed, kLoopRun, 1, 2);
      };
      const ByteSums plain = sums(kPlainStatsLoops);
      const ByteSums found = sums(*loops);
      EXPECT_EQ(found.square_a, plain.square_a);
      EXPECT_EQ(found.square_b, plain.square_b);
      EXPECT_EQ(found.dot, plain.dot);
      EXPECT_EQ(found.distance, plain.distance);
      EXPECT_EQ(found.square_distance, plain.square_distance);
      EXPECT_EQ(found.unequal, plain.unequal);
      EXPECT_EQ(found.largest, plain.largest);
      EXPECT_EQ(found.above, plain.above);
    }
  }
}

// Any length, not only that of a run, and every code.
TEST(StatsLoops, WidenAsOneElementIsReadForEveryInstructionSet) {
  std::vector<const StatsLoops*> all = vector_loops();
  all.push_back(&kPlainStatsLoops);
  std::vector<DType> types(std::begin(kNumeric), std::end(kNumeric));
  types.push_back(DType::float8_e8m0fnu);
  for (const DType type : types) {
    const std::size_t item = itemsize(type);
    const std::size_t count = 3 * kLoopRun + 7;
    std::vector<std::uint8_t> raw = random_bytes(type, count, 3);
    for (std::size_t code = 0; item <= 2 && type != DType::boolean && code < 256; ++code)
      raw[(code + 1) * item - 1] = static_cast<std::uint8_t>(code);
    for (const StatsLoops* loops : all) {
      std::vector<double> numbers(count);
      loops->widen(stored_as(type), raw.data(), count, code_table(type), numbers.data());
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const double wanted = element_as_double(type, &raw[i * item]);
        const bool same = wanted == numbers[i] && std::signbit(wanted) == std::signbit(numbers[i]);
        wrong += same || (std::isnan(wanted) && std::isnan(numbers[i])) ? 0 : 1;
      }
      EXPECT_EQ(wrong, 0U) << info(type).torch;
    }
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
