// The loops over elements behind tensor_stats.h, for the instruction set that this machine has.
//
// Each of several instruction sets has the same loops, with the same bits: sums are taken in eight
// lanes, whatever a register holds. Plain types only: what a file that is compiled for another
// instruction set instantiates from the standard library, the linker may put into all others.
#pragma once

#include <cstddef>
#include <cstdint>

namespace samebits {

/// How one component is stored, little-endian. `coded`: one byte, which a table explains.
enum class Stored : std::uint8_t {
  f64,
  f32,
  f16,
  bf16,
  e4m3fn,
  e4m3fnuz,
  e5m2,
  e5m2fnuz,
  i64,
  u64,
  i32,
  u32,
  i16,
  u16,
  coded
};

/// What the codes of a type of one byte mean. Each fits a bfloat16.
struct CodeTable {
  double numbers[256];
  std::uint16_t bfloat16[256];
};

inline constexpr std::size_t kLanes = 8;

/// Of pairs (x, y) of finite numbers.
struct PairSums {
  double dot[kLanes] = {}, square_a[kLanes] = {}, square_b[kLanes] = {};
  double distance[kLanes] = {}, square_distance[kLanes] = {}, largest[kLanes] = {};
};

struct PairCounts {
  std::uint64_t differing = 0;  // as bits
  std::uint64_t unequal = 0;    // as numbers
};

/// Of pairs of numbers as they are stored, a sign in front of a size.
struct StepCounts {
  std::uint64_t largest = 0;  // distance, in steps of the type, through zero
  std::uint64_t differing = 0, unequal = 0;
};

/// Of pairs of bytes that are integers.
struct ByteSums {
  std::uint64_t square_a = 0, square_b = 0, dot = 0, distance = 0, square_distance = 0;
  std::uint64_t unequal = 0;
  std::uint32_t largest = 0;
  bool above = false;  // some |x - y| / max(|x|, |y|) is more than that of `over` and `under`
};

/// Where a value is rounded to: see rounding.h.
struct RoundingForm {
  int mantissa = 0;            // bits after the leading one
  std::uint32_t smallest = 0;  // normal number, as bits of a float; 0: subnormals need no care
  std::uint32_t largest = 0;   // as bits of a float
  bool has_infinity = false, has_minus_zero = false;
};

/// `n` is at most kLoopRun. Arrays of doubles have room for `n` rounded up to kLanes, and zeros
/// behind `n`.
inline constexpr std::size_t kLoopRun = 1024;
struct StatsLoops {
  /// `table`: of types of one byte.
  void (*widen)(Stored stored, const unsigned char* raw, std::size_t n, const CodeTable* table,
                double* numbers);
  /// True where some |x - y| is more than `bound` times the larger of |x| and |y|.
  bool (*pairs)(const double* x, const double* y, std::size_t n, double bound, PairSums* sums);
  PairCounts (*counts)(const double* x, const double* y, std::size_t n);
  /// The largest |x - y| / max(|x|, |y|); 0 where all are equal.
  double (*largest_relative)(const double* x, const double* y, std::size_t n);
  /// Adds the squares to `lanes`.
  void (*squares)(const double* x, std::size_t n, double* lanes);
  /// Items of 1, 2, 4 or 8 bytes.
  StepCounts (*steps)(const unsigned char* a, const unsigned char* b, std::size_t n,
                      std::size_t item);
  /// Bytes are signed or not; `over` / `under` is the largest relative distance so far.
  ByteSums (*bytes)(const unsigned char* a, bool a_signed, const unsigned char* b, bool b_signed,
                    std::size_t n, std::uint32_t over, std::uint32_t under);
  /// True where some number is 2^53 or more.
  bool (*any_huge)(const double* x, std::size_t n);
  /// Each number as a float, rounded to the form.
  void (*round)(const RoundingForm& form, const double* x, std::size_t n, double* rounded);
  /// Sums of the items, and of their squares, as unsigned integers that wrap around: equal for any
  /// order of them.
  void (*code_sums)(const unsigned char* raw, std::size_t n, std::size_t item, std::uint64_t* sum,
                    std::uint64_t* square);
};

/// The fastest that this machine can run.
const StatsLoops& stats_loops();

extern const StatsLoops kPlainStatsLoops;
#if defined(__x86_64__)
extern const StatsLoops kAvx2StatsLoops;
extern const StatsLoops kAvx512StatsLoops;
/// Whether this machine can run those of AVX-512.
bool have_avx512();
#endif

}  // namespace samebits
