#include "samebits/compare/pair_measurement.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>

#include "samebits/base/parallel.h"

namespace samebits {
namespace {

constexpr std::uint64_t kStatsBlock = 1 << 16;  // components that one thread handles at a time

bool is_wide_integer(DType type) { return type == DType::int64 || type == DType::uint64; }

bool is_byte_integer(DType type) {
  return type == DType::int8 || type == DType::uint8 || type == DType::boolean;
}

bool has_few_bits(DType type) { return is_floating(type) && itemsize(type) <= 2; }

double sum_of(const double* lanes) {
  double sum = 0;
  for (std::size_t lane = 0; lane < kLanes; ++lane) sum += lanes[lane];
  return sum;
}

void merge(const PartialStats& from, PartialStats* into, bool is_first) {
  const bool split_row = !is_first && into->last_row == from.first_row && into->last_row_differs &&
                         from.first_row_differs;
  into->rows_differing += from.rows_differing - (split_row ? 1 : 0);
  const bool same_row = !is_first && from.last_row == into->last_row;
  into->last_row_differs = from.last_row_differs || (same_row && into->last_row_differs);
  into->last_row = from.last_row;
  into->differing += from.differing;
  into->first = std::min(into->first, from.first);
  into->unequal += from.unequal;
  into->minus_zeros += from.minus_zeros;
  into->sum_abs += from.sum_abs;
  into->max_abs = std::max(into->max_abs, from.max_abs);
  into->max_relative = std::max(into->max_relative, from.max_relative);
  into->dot += from.dot;
  into->square_a += from.square_a;
  into->square_b += from.square_b;
  into->square_difference += from.square_difference;
  into->max_ulp = std::max(into->max_ulp, from.max_ulp);
  into->nan_a += from.nan_a;
  into->nan_b += from.nan_b;
  into->inf_a += from.inf_a;
  into->inf_b += from.inf_b;
}

// Goes on with the row that the block ended in, or begins another.
void note_row(std::uint64_t row, bool differs, PartialStats* partial) {
  const bool is_new = row != partial->last_row;
  if (is_new) partial->last_row_differs = false;
  partial->last_row = row;
  if (differs && !partial->last_row_differs) {
    ++partial->rows_differing;
    partial->last_row_differs = true;
    if (row == partial->first_row) partial->first_row_differs = true;
  }
}

}  // namespace

struct PairMeasurement::Run {
  std::vector<std::uint8_t> buffer_a, buffer_b;  // of the block
  const std::uint8_t* a = nullptr;               // the run in them, or in the files
  const std::uint8_t* b = nullptr;
  std::uint64_t begin = 0;  // in the tensors
  std::size_t count = 0;
  alignas(64) std::array<double, kLoopRun> x, y;

  std::size_t padded() const { return (count + kLanes - 1) / kLanes * kLanes; }
};

/// The bytes of a run without what is not finite.
struct PairMeasurement::FiniteRun {
  std::array<std::uint8_t, kLoopRun * sizeof(double)> a, b;
};

struct PairMeasurement::BlockSums {
  PairSums pairs;
  std::array<double, kLanes> equal{};  // squares of elements that are equal
  ByteSums bytes;
  std::uint32_t over = 0, under = 1;  // the largest relative distance of bytes
};

PairMeasurement::PairMeasurement(const ValuePair& pair)
    : pair_(pair),
      type_a_(component_type(pair.a.dtype())),
      type_b_(component_type(pair.b.dtype())),
      item_a_(itemsize(type_a_)),
      item_b_(itemsize(type_b_)),
      count_(component_count(pair.a)) {
  const Shape& shape = pair.a.shape();
  rows_ = shape.empty() ? 1 : static_cast<std::uint64_t>(shape[0]);
  row_size_ = rows_ == 0 ? 0 : count_ / rows_;
  same_type_ = type_a_ == type_b_;
  as_bytes_ = same_type_ && is_byte_integer(type_a_);
  all_squares_finite_ = type_a_ != DType::float64 && type_b_ != DType::float64;
  few_bits_ = has_few_bits(type_a_) && has_few_bits(type_b_);
  partials_.resize((count_ + kStatsBlock - 1) / kStatsBlock);
}

void PairMeasurement::load_block(std::uint64_t begin, std::uint64_t count, Run* run) const {
  const auto load = [&](const TensorView& view, std::uint64_t item,
                        std::vector<std::uint8_t>* buffer) {
    const std::uint64_t parts = itemsize(view.dtype()) / item;
    return view.row_major_range(begin / parts, count / parts, *buffer).data();
  };
  run->a = load(pair_.a, item_a_, &run->buffer_a);
  run->b = load(pair_.b, item_b_, &run->buffer_b);
}

void PairMeasurement::measure(std::size_t block) {
  const std::uint64_t begin = block * kStatsBlock;
  const std::uint64_t count = std::min(kStatsBlock, count_ - begin);
  PartialStats& partial = partials_[block];
  partial.first_row = partial.last_row = begin / row_size_;
  Run run;
  load_block(begin, count, &run);
  const std::uint8_t* a = run.a;
  const std::uint8_t* b = run.b;
  BlockSums sums;
  for (std::uint64_t at = 0; at < count; at += kLoopRun) {
    run.a = a + at * item_a_;
    run.b = b + at * item_b_;
    run.begin = begin + at;
    run.count = static_cast<std::size_t>(std::min<std::uint64_t>(kLoopRun, count - at));
    measure_run(&run, &sums, &partial);
  }
  const double equal = sum_of(sums.equal.data());
  const ByteSums& bytes = sums.bytes;
  partial.dot +=
      sum_of(sums.pairs.dot) + equal + static_cast<double>(static_cast<std::int64_t>(bytes.dot));
  partial.square_a += sum_of(sums.pairs.square_a) + equal + static_cast<double>(bytes.square_a);
  partial.square_b += sum_of(sums.pairs.square_b) + equal + static_cast<double>(bytes.square_b);
  partial.sum_abs += sum_of(sums.pairs.distance) + static_cast<double>(bytes.distance);
  partial.square_difference +=
      sum_of(sums.pairs.square_distance) + static_cast<double>(bytes.square_distance);
  for (const double largest : sums.pairs.largest)
    partial.max_abs = std::max(partial.max_abs, largest);
  partial.max_abs = std::max(partial.max_abs, static_cast<double>(bytes.largest));
  if (sums.over > 0)
    partial.max_relative =
        std::max(partial.max_relative, static_cast<double>(sums.over) / sums.under);
}

void PairMeasurement::measure_run(Run* run, BlockSums* sums, PartialStats* partial) const {
  const std::uint64_t before = partial->differing;
  const bool done = as_bytes_ ? measure_bytes(*run, sums, partial)
                              : measure_equal(run, sums) || measure_numbers(run, sums, partial);
  if (!done) measure_exactly(*run, partial);
  note_rows(run->a, run->b, run->begin, run->count, partial->differing - before, partial);
}

// False where a bool is neither 0 nor 1.
bool PairMeasurement::measure_bytes(const Run& run, BlockSums* sums, PartialStats* partial) const {
  const bool is_signed = type_a_ == DType::int8;
  const ByteSums found =
      stats_loops().bytes(run.a, is_signed, run.b, is_signed, run.count, sums->over, sums->under);
  if (type_a_ == DType::boolean) {
    const auto odd = [](std::uint8_t code) { return code > 1; };
    if (std::any_of(run.a, run.a + run.count, odd) || std::any_of(run.b, run.b + run.count, odd))
      return false;
  }
  ByteSums& total = sums->bytes;
  total.square_a += found.square_a;
  total.square_b += found.square_b;
  total.dot += found.dot;
  total.distance += found.distance;
  total.square_distance += found.square_distance;
  total.largest = std::max(total.largest, found.largest);
  partial->differing += found.unequal;
  partial->unequal += found.unequal;
  if (!found.above) return true;
  for (std::size_t i = 0; i < run.count; ++i) {
    const auto value = [&](std::uint8_t code) {
      return is_signed ? static_cast<std::int8_t>(code) : static_cast<int>(code);
    };
    const int x = value(run.a[i]);
    const int y = value(run.b[i]);
    const auto gap = static_cast<std::uint32_t>(std::abs(x - y));
    const auto scale = static_cast<std::uint32_t>(std::max(std::abs(x), std::abs(y)));
    if (gap * sums->under <= scale * sums->over) continue;
    sums->over = gap;
    sums->under = scale;
  }
  return true;
}

// True where both runs have the same bytes and nothing but finite numbers.
bool PairMeasurement::measure_equal(Run* run, BlockSums* sums) const {
  if (!same_type_ || std::memcmp(run->a, run->b, run->count * item_a_) != 0) return false;
  stats_loops().widen(stored_as(type_a_), run->a, run->count, code_table(type_a_), run->x.data());
  std::fill(run->x.begin() + static_cast<std::ptrdiff_t>(run->count),
            run->x.begin() + static_cast<std::ptrdiff_t>(run->padded()), 0.0);
  std::array<double, kLanes> squares = sums->equal;
  stats_loops().squares(run->x.data(), run->padded(), squares.data());
  if (!std::isfinite(sum_of(squares.data()))) return false;
  sums->equal = squares;
  return true;
}

// True where all are finite, and doubles hold them exactly.
bool PairMeasurement::numbers_suffice(const Run& run) const {
  return !(is_wide_integer(type_a_) && stats_loops().any_huge(run.x.data(), run.count)) &&
         !(is_wide_integer(type_b_) && stats_loops().any_huge(run.y.data(), run.count));
}

// What |x - y| must exceed, in units of the larger of |x| and |y|, to be a relative distance above
// `largest`; misses none. Products with powers of two are exact. Below 1 - 2^-20 the exponents of
// x and y are 21 apart at most: with 11 bits in each of them, |x - y| has 32, and two quotients
// that are not the same differ by 2^-43.
double PairMeasurement::relative_bound(double largest) const {
  if (largest == 1 || largest == 2) return largest;
  const bool apart = few_bits_ && largest < 1 - 0x1p-20;
  return largest * (apart ? 1 + 0x1p-46 : 1 - 0x1p-50);
}

bool PairMeasurement::measure_numbers(Run* run, BlockSums* sums, PartialStats* partial) const {
  const StatsLoops& loops = stats_loops();
  loops.widen(stored_as(type_a_), run->a, run->count, code_table(type_a_), run->x.data());
  loops.widen(stored_as(type_b_), run->b, run->count, code_table(type_b_), run->y.data());
  for (std::size_t i = run->count; i < run->padded(); ++i) run->x[i] = run->y[i] = 0;
  if (!numbers_suffice(*run)) return false;
  if (add_finite(*run, run->a, run->b, sums, partial)) return true;
  if (!all_squares_finite_) return false;
  FiniteRun finite;
  set_aside(run, &finite, partial);
  const bool done = add_finite(*run, finite.a.data(), finite.b.data(), sums, partial);
  SAMEBITS_CHECK(done);
  return true;
}

// The pairs of a run, whose bytes are `a` and `b`. False, and nothing added, where some are not
// finite.
bool PairMeasurement::add_finite(const Run& run, const std::uint8_t* a, const std::uint8_t* b,
                                 BlockSums* sums, PartialStats* partial) const {
  const StatsLoops& loops = stats_loops();
  PairSums pairs = sums->pairs;
  const double bound = relative_bound(partial->max_relative);
  const bool above = loops.pairs(run.x.data(), run.y.data(), run.padded(), bound, &pairs);
  if (!std::isfinite(sum_of(pairs.square_a) + sum_of(pairs.square_b))) return false;
  sums->pairs = pairs;
  if (above)
    partial->max_relative = std::max(
        partial->max_relative, loops.largest_relative(run.x.data(), run.y.data(), run.padded()));
  PairCounts counts;
  if (has_ulp()) {
    const StepCounts steps = loops.steps(a, b, run.count, item_a_);
    counts = {steps.differing, steps.unequal};
    partial->max_ulp = std::max(partial->max_ulp, steps.largest);
  } else {
    counts = loops.counts(run.x.data(), run.y.data(), run.padded());
  }
  partial->differing += counts.differing;
  partial->unequal += counts.unequal;
  partial->minus_zeros += counts.differing - counts.unequal;
  return true;
}

// Adds the pairs that are not finite, and leaves pairs of zeros in their places.
void PairMeasurement::set_aside(Run* run, FiniteRun* finite, PartialStats* partial) const {
  std::memcpy(finite->a.data(), run->a, run->count * item_a_);
  std::memcpy(finite->b.data(), run->b, run->count * item_b_);
  for (std::size_t i = 0; i < run->count; ++i) {
    if (std::isfinite(run->x[i]) && std::isfinite(run->y[i])) continue;
    add_pair(run->a + i * item_a_, run->b + i * item_b_, partial);
    run->x[i] = run->y[i] = 0;
    std::memset(&finite->a[i * item_a_], 0, item_a_);
    std::memset(&finite->b[i * item_b_], 0, item_b_);
  }
}

void PairMeasurement::measure_exactly(const Run& run, PartialStats* partial) const {
  for (std::size_t i = 0; i < run.count; ++i)
    add_pair(run.a + i * item_a_, run.b + i * item_b_, partial);
}

bool PairMeasurement::differs(const std::uint8_t* a, const std::uint8_t* b) const {
  if (same_type_) return std::memcmp(a, b, item_a_) != 0;
  if (item_a_ == 1 && item_b_ == 1) {
    const double x = code_table(type_a_)->numbers[*a];
    const double y = code_table(type_b_)->numbers[*b];
    return std::bit_cast<std::uint64_t>(x) != std::bit_cast<std::uint64_t>(y) &&
           !(std::isnan(x) && std::isnan(y));
  }
  const ExactNumber x = exact_number(type_a_, a);
  const ExactNumber y = exact_number(type_b_, b);
  if (std::isnan(x.value) && std::isnan(y.value)) return false;
  return !equal_numbers(x, y) ||
         std::bit_cast<std::uint64_t>(x.value) != std::bit_cast<std::uint64_t>(y.value);
}

void PairMeasurement::add_pair(const std::uint8_t* a, const std::uint8_t* b,
                               PartialStats* partial) const {
  const ExactNumber left = exact_number(type_a_, a);
  const ExactNumber right = exact_number(type_b_, b);
  const double x = left.value;
  const double y = right.value;
  const bool finite = std::isfinite(x) && std::isfinite(y);
  if (finite) {
    partial->dot += x * y;
    partial->square_a += x * x;
    partial->square_b += y * y;
  }
  if (!std::isfinite(x)) ++(std::isnan(x) ? partial->nan_a : partial->inf_a);
  if (!std::isfinite(y)) ++(std::isnan(y) ? partial->nan_b : partial->inf_b);
  if (!differs(a, b)) return;
  ++partial->differing;
  // Bytes of a bool that are neither 0 nor 1 are told apart.
  const bool both_bool = type_a_ == DType::boolean && same_type_;
  if (!both_bool && equal_numbers(left, right)) {
    if (x == 0) ++partial->minus_zeros;
    return;
  }
  ++partial->unequal;
  if (!finite) return;
  const double gap = distance(left, right);
  partial->sum_abs += gap;
  partial->square_difference += gap * gap;
  partial->max_abs = std::max(partial->max_abs, gap);
  if (gap > 0)
    partial->max_relative =
        std::max(partial->max_relative, gap / std::max(std::fabs(x), std::fabs(y)));
  if (has_ulp())
    partial->max_ulp = std::max(partial->max_ulp, stats_loops().steps(a, b, 1, item_a_).largest);
}

bool PairMeasurement::any_differs(const std::uint8_t* a, const std::uint8_t* b,
                                  std::uint64_t count) const {
  if (same_type_) return std::memcmp(a, b, count * item_a_) != 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (differs(a + i * item_a_, b + i * item_b_)) return true;
  }
  return false;
}

// The rows of a run, and the first element that differs. `differing`: how many of the run do.
void PairMeasurement::note_rows(const std::uint8_t* a, const std::uint8_t* b, std::uint64_t begin,
                                std::uint64_t count, std::uint64_t differing,
                                PartialStats* partial) const {
  const std::uint64_t end = begin + count;
  if (differing > 0 && partial->first > end) {
    std::uint64_t i = 0;
    while (!differs(a + i * item_a_, b + i * item_b_)) ++i;
    partial->first = begin + i;
  }
  if (row_size_ == 1) return;  // as many rows differ as elements
  if (differing == 0) {
    note_row(begin / row_size_, false, partial);
    note_row((end - 1) / row_size_, false, partial);
    return;
  }
  for (std::uint64_t at = begin; at < end;) {
    const std::uint64_t row = at / row_size_;
    const std::uint64_t stop = std::min(end, (row + 1) * row_size_);
    const std::uint64_t i = at - begin;
    note_row(row, differing == count || any_differs(a + i * item_a_, b + i * item_b_, stop - at),
             partial);
    at = stop;
  }
}

PartialStats PairMeasurement::total() const {
  PartialStats all;
  for (std::size_t i = 0; i < partials_.size(); ++i) merge(partials_[i], &all, i == 0);
  if (row_size_ == 1) all.rows_differing = all.differing;
  return all;
}

bool PairMeasurement::is_negation(int threads) const {
  std::atomic<bool> negation{true};
  parallel_for((count_ + kStatsBlock - 1) / kStatsBlock, threads, [&](std::size_t block) {
    if (!negation.load(std::memory_order_relaxed)) return;
    const std::uint64_t begin = block * kStatsBlock;
    const std::uint64_t size = std::min(kStatsBlock, count_ - begin);
    NumberBlock a;
    NumberBlock b;
    a.load(pair_.a, begin, size);
    b.load(pair_.b, begin, size);
    const std::span<const double> x = a.numbers();
    const std::span<const double> y = b.numbers();
    for (std::size_t i = 0; i < size; ++i) {
      const bool same = x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]));
      if (same || x[i] == -y[i]) continue;
      negation.store(false, std::memory_order_relaxed);
      return;
    }
  });
  return negation;
}

}  // namespace samebits
