// The loops of stats_loops.h, compiled by each file that defines SAMEBITS_STATS_WIDTH, the bytes of
// a vector register. Nothing of the standard library is called here, see there.
#include "samebits/compare/stats_loops.h"

#include "samebits/compare/stats_loops_widen.h"

namespace samebits {
namespace {

using Vector [[gnu::vector_size(SAMEBITS_STATS_WIDTH)]] = double;
using Mask [[gnu::vector_size(SAMEBITS_STATS_WIDTH)]] = long long;
constexpr std::size_t kOf = SAMEBITS_STATS_WIDTH / sizeof(double);  // numbers in a vector

inline Vector load(const double* numbers) {
  Vector vector;
  __builtin_memcpy(&vector, numbers, sizeof(vector));
  return vector;
}

inline void store(Vector vector, double* numbers) {
  __builtin_memcpy(numbers, &vector, sizeof(vector));
}

// Of numbers that are not negative, whose bits have the order of the numbers.
inline Vector larger_of(Vector x, Vector y) {
  if constexpr (kOf < kLanes) return x > y ? x : y;
  const auto p = reinterpret_cast<Mask>(x);  // one instruction of AVX-512
  const auto q = reinterpret_cast<Mask>(y);
  return reinterpret_cast<Vector>(p > q ? p : q);
}

inline Vector magnitude_of(Vector x) {
  const Mask magnitude = Mask{} + 0x7FFFFFFFFFFFFFFFLL;
  return reinterpret_cast<Vector>(reinterpret_cast<Mask>(x) & magnitude);
}

// One vector of lanes after the other in one pass, so that all sums stay in registers.
bool pairs_loop(const double* x, const double* y, std::size_t n, double bound, PairSums* sums) {
  Mask above = {};
  const Vector bounds = Vector{} + bound;
  for (std::size_t v = 0; v < kLanes; v += kOf) {
    Vector dot = load(sums->dot + v);
    Vector a = load(sums->square_a + v);
    Vector b = load(sums->square_b + v);
    Vector distance = load(sums->distance + v);
    Vector square = load(sums->square_distance + v);
    Vector largest = load(sums->largest + v);
    for (std::size_t i = v; i < n; i += kLanes) {
      const Vector p = load(x + i);
      const Vector q = load(y + i);
      const Vector d = magnitude_of(p - q);
      dot += p * q;
      a += p * p;
      b += q * q;
      distance += d;
      square += d * d;
      largest = larger_of(d, largest);
      above |= d > bounds * larger_of(magnitude_of(p), magnitude_of(q));
    }
    store(dot, sums->dot + v);
    store(a, sums->square_a + v);
    store(b, sums->square_b + v);
    store(distance, sums->distance + v);
    store(square, sums->square_distance + v);
    store(largest, sums->largest + v);
  }
  bool any = false;
  for (std::size_t k = 0; k < kOf; ++k) any = any || above[k] != 0;
  return any;
}

PairCounts counts_loop(const double* x, const double* y, std::size_t n) {
  Mask differing = {}, unequal = {};
  for (std::size_t i = 0; i < n; i += kOf) {
    const Vector p = load(x + i);
    const Vector q = load(y + i);
    differing -= reinterpret_cast<Mask>(p) != reinterpret_cast<Mask>(q);
    unequal -= p != q;
  }
  PairCounts counts;
  for (std::size_t k = 0; k < kOf; ++k) {
    counts.differing += static_cast<std::uint64_t>(differing[k]);
    counts.unequal += static_cast<std::uint64_t>(unequal[k]);
  }
  return counts;
}

double largest_relative_loop(const double* x, const double* y, std::size_t n) {
  Vector largest = {};
  for (std::size_t i = 0; i < n; i += kOf) {
    const Vector p = load(x + i);
    const Vector q = load(y + i);
    const Vector s = magnitude_of(p);
    const Vector t = magnitude_of(q);
    const Vector relative = magnitude_of(p - q) / (s > t ? s : t);  // NaN where both are 0
    largest = relative > largest ? relative : largest;
  }
  double all = 0;
  for (std::size_t k = 0; k < kOf; ++k) all = largest[k] > all ? largest[k] : all;
  return all;
}

void squares_loop(const double* x, std::size_t n, double* lanes) {
  for (std::size_t v = 0; v < kLanes; v += kOf) {
    Vector sum = load(lanes + v);
    for (std::size_t i = v; i < n; i += kLanes) sum += load(x + i) * load(x + i);
    store(sum, lanes + v);
  }
}

// Unsigned: the distance of two ends may have one bit more than the type. At most kMostSteps at a
// time, whose counts have room in the type.
template <class Signed, class Unsigned>
inline void add_steps(const unsigned char* a, const unsigned char* b, std::size_t n,
                      StepCounts* counts) {
  constexpr int kSign = sizeof(Signed) * 8 - 1;
  constexpr auto kMagnitude = static_cast<Signed>(static_cast<Unsigned>(~Unsigned{0}) >> 1);
  Unsigned largest = 0;
  Unsigned differing = 0;
  Unsigned unequal = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto x = stored_at<Signed>(a, i);
    const auto y = stored_at<Signed>(b, i);
    const auto p = static_cast<Signed>(x >> kSign);  // all ones for a negative number
    const auto q = static_cast<Signed>(y >> kSign);
    const auto s = static_cast<Signed>(((x & kMagnitude) ^ p) - p);
    const auto t = static_cast<Signed>(((y & kMagnitude) ^ q) - q);
    const auto up = static_cast<Unsigned>(static_cast<Unsigned>(s) - static_cast<Unsigned>(t));
    const auto down = static_cast<Unsigned>(static_cast<Unsigned>(t) - static_cast<Unsigned>(s));
    const Unsigned step = s > t ? up : down;
    largest = step > largest ? step : largest;
    differing = static_cast<Unsigned>(differing + static_cast<Unsigned>(x != y));
    unequal = static_cast<Unsigned>(unequal + static_cast<Unsigned>(s != t));
  }
  counts->largest = largest > counts->largest ? largest : counts->largest;
  counts->differing += differing;
  counts->unequal += unequal;
}

template <class Signed, class Unsigned>
inline StepCounts steps_of(const unsigned char* a, const unsigned char* b, std::size_t n) {
  constexpr std::size_t kMostSteps = sizeof(Signed) == 1 ? 192 : kLoopRun;
  StepCounts counts;
  for (std::size_t i = 0; i < n; i += kMostSteps) {
    const std::size_t count = n - i < kMostSteps ? n - i : kMostSteps;
    add_steps<Signed, Unsigned>(a + i * sizeof(Signed), b + i * sizeof(Signed), count, &counts);
  }
  return counts;
}

StepCounts steps_loop(const unsigned char* a, const unsigned char* b, std::size_t n,
                      std::size_t item) {
  switch (item) {
    case 1: return steps_of<std::int8_t, std::uint8_t>(a, b, n);
    case 2: return steps_of<std::int16_t, std::uint16_t>(a, b, n);
    case 4: return steps_of<std::int32_t, std::uint32_t>(a, b, n);
    default: return steps_of<std::int64_t, std::uint64_t>(a, b, n);
  }
}

inline void as_shorts(const unsigned char* raw, bool is_signed, std::size_t n, std::int16_t* out) {
  if (is_signed) {
    for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<std::int16_t>((raw[i] ^ 128) - 128);
  } else {
    for (std::size_t i = 0; i < n; ++i) out[i] = raw[i];
  }
}

inline std::uint64_t sum_of_products(const std::int16_t* x, const std::int16_t* y, std::size_t n,
                                     std::int64_t* sum) {
  std::int32_t total = 0;  // 1024 * 255 * 255 fits
  for (std::size_t i = 0; i < n; ++i) total += x[i] * y[i];
  if (sum != nullptr) *sum = total;
  return static_cast<std::uint64_t>(total);
}

ByteSums bytes_loop(const unsigned char* a, bool a_signed, const unsigned char* b, bool b_signed,
                    std::size_t n, std::uint32_t over, std::uint32_t under) {
  alignas(64) std::int16_t x[kLoopRun];
  alignas(64) std::int16_t y[kLoopRun];
  alignas(64) std::int16_t d[kLoopRun];
  as_shorts(a, a_signed, n, x);
  as_shorts(b, b_signed, n, y);
  std::int16_t largest = 0;
  std::int16_t unequal = 0;
  std::uint16_t above = 0;
  std::int32_t distance = 0;
  const auto up = static_cast<std::uint16_t>(over);
  const auto down = static_cast<std::uint16_t>(under);
  for (std::size_t i = 0; i < n; ++i) {
    const auto gap = static_cast<std::int16_t>(x[i] - y[i]);
    d[i] = gap < 0 ? static_cast<std::int16_t>(-gap) : gap;
  }
  for (std::size_t i = 0; i < n; ++i) largest = d[i] > largest ? d[i] : largest;
  for (std::size_t i = 0; i < n; ++i)
    unequal = static_cast<std::int16_t>(unequal + static_cast<std::int16_t>(d[i] != 0));
  for (std::size_t i = 0; i < n; ++i) distance += d[i];
  for (std::size_t i = 0; i < n; ++i) {
    const auto s = static_cast<std::int16_t>(x[i] < 0 ? -x[i] : x[i]);
    const auto t = static_cast<std::int16_t>(y[i] < 0 ? -y[i] : y[i]);
    const std::int16_t scale = s > t ? s : t;
    // No factor has more than eight bits.
    const auto left = static_cast<std::uint16_t>(static_cast<std::uint16_t>(d[i]) * down);
    const auto right = static_cast<std::uint16_t>(static_cast<std::uint16_t>(scale) * up);
    const auto more = static_cast<std::uint16_t>(left > right ? left - right : 0);
    above = static_cast<std::uint16_t>(above | more);
  }
  ByteSums sums;
  std::int64_t dot = 0;
  sums.square_a = sum_of_products(x, x, n, nullptr);
  sums.square_b = sum_of_products(y, y, n, nullptr);
  sum_of_products(x, y, n, &dot);
  sums.dot = static_cast<std::uint64_t>(dot);
  sums.square_distance = sum_of_products(d, d, n, nullptr);
  sums.distance = static_cast<std::uint64_t>(distance);
  sums.unequal = static_cast<std::uint64_t>(unequal);
  sums.largest = static_cast<std::uint32_t>(largest);
  sums.above = above != 0;
  return sums;
}

bool any_huge_loop(const double* x, std::size_t n) {
  unsigned found = 0;
  for (std::size_t i = 0; i < n; ++i) found |= x[i] >= 0x1p53 || x[i] <= -0x1p53 ? 1u : 0u;
  return found != 0;
}

void round_loop(const RoundingForm& form, const double* x, std::size_t n, double* rounded) {
  const int shift = 23 - form.mantissa;
  const std::uint32_t half = (1u << (shift - 1)) - 1;
  const std::uint32_t smallest = form.smallest;
  const std::uint32_t largest = form.largest;
  // Adding and taking away this leaves multiples of the smallest subnormal.
  const float grain =
      __builtin_bit_cast(float, smallest + (static_cast<std::uint32_t>(shift) << 23));
  const std::uint32_t beyond = form.has_infinity ? 0x7F800000u : 0x7FC00000u;
  const std::uint32_t minus_zero = form.has_minus_zero ? 0x80000000u : 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto bits = __builtin_bit_cast(std::uint32_t, static_cast<float>(x[i]));
    const std::uint32_t size = bits & 0x7FFFFFFFu;
    const std::uint32_t normal = ((size + half + ((size >> shift) & 1)) >> shift) << shift;
    const auto subnormal =
        __builtin_bit_cast(std::uint32_t, (__builtin_bit_cast(float, size) + grain) - grain);
    std::uint32_t result = size < smallest ? subnormal : normal;
    result = result > largest ? beyond : result;
    result = size > 0x7F800000u ? 0x7FC00000u : result;
    const std::uint32_t sign = bits & (result == 0 ? minus_zero : 0x80000000u);
    rounded[i] = static_cast<double>(__builtin_bit_cast(float, result | sign));
  }
}

template <class T>
inline void code_sums_of(const unsigned char* raw, std::size_t n, std::uint64_t* sum,
                         std::uint64_t* square) {
  std::uint64_t codes = 0;
  std::uint64_t squares = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t code = stored_at<T>(raw, i);
    codes += code;
    squares += code * code;
  }
  *sum += codes;
  *square += squares;
}

void code_sums_loop(const unsigned char* raw, std::size_t n, std::size_t item, std::uint64_t* sum,
                    std::uint64_t* square) {
  switch (item) {
    case 1: return code_sums_of<std::uint8_t>(raw, n, sum, square);
    case 2: return code_sums_of<std::uint16_t>(raw, n, sum, square);
    case 4: return code_sums_of<std::uint32_t>(raw, n, sum, square);
    default: return code_sums_of<std::uint64_t>(raw, n * (item / 8), sum, square);
  }
}

constexpr StatsLoops kLoops = {.widen = widen_loop,
                               .pairs = pairs_loop,
                               .counts = counts_loop,
                               .largest_relative = largest_relative_loop,
                               .squares = squares_loop,
                               .steps = steps_loop,
                               .bytes = bytes_loop,
                               .any_huge = any_huge_loop,
                               .round = round_loop,
                               .code_sums = code_sums_loop};

}  // namespace
}  // namespace samebits
