#include "samebits/compare/tensor_stats.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "samebits/base/float_mode.h"
#include "samebits/base/parallel.h"
#include "samebits/compare/number_block.h"
#include "samebits/compare/permuted_rows.h"
#include "samebits/compare/rounding.h"

namespace samebits {
namespace {

constexpr std::uint64_t kBlock = 1 << 16;           // components that one thread handles at a time
constexpr double kExactInteger = 9007199254740992;  // 2^53

bool is_wide_integer(DType type) { return type == DType::int64 || type == DType::uint64; }

std::uint64_t stored_bits(const std::uint8_t* p, std::uint64_t item) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, p, item);
  return bits;
}

// Distance in steps of the type, through zero.
std::uint64_t ulp_distance(std::uint64_t a, std::uint64_t b, std::uint64_t item) {
  const int width = static_cast<int>(item * 8);
  const auto ordered = [width](std::uint64_t bits) {
    const std::uint64_t sign = std::uint64_t{1} << (width - 1);
    return (bits & sign) != 0 ? sign - (bits & (sign - 1)) : sign + bits;
  };
  const std::uint64_t x = ordered(a);
  const std::uint64_t y = ordered(b);
  return x > y ? x - y : y - x;
}

struct Partial {
  std::uint64_t differing = 0, first = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t unequal = 0, minus_zeros = 0, negated = 0;
  double sum_abs = 0, max_abs = 0, max_relative = 0;
  double dot = 0, square_a = 0, square_b = 0, square_difference = 0;
  std::uint64_t max_ulp = 0;
  std::uint64_t nan_a = 0, nan_b = 0, inf_a = 0, inf_b = 0;
  std::uint64_t rows_differing = 0;
  bool first_row_differs = false, last_row_differs = false;
  std::uint64_t first_row = 0, last_row = 0;
};

void merge(const Partial& from, Partial* into, bool is_first) {
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
  into->negated += from.negated;
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

/// One pair; blocks may be measured in any order and on any thread.
class Measurement {
 public:
  explicit Measurement(const ValuePair& pair)
      : pair_(pair),
        type_a_(component_type(pair.a.dtype())),
        type_b_(component_type(pair.b.dtype())),
        item_(itemsize(type_a_)),
        count_(component_count(pair.a)) {
    const Shape& shape = pair.a.shape();
    rows_ = shape.empty() ? 1 : static_cast<std::uint64_t>(shape[0]);
    row_size_ = rows_ == 0 ? 0 : count_ / rows_;
    same_type_ = type_a_ == type_b_;
    integers_ = !is_floating(type_a_) && !is_floating(type_b_);
    wide_ = !same_type_ && (is_wide_integer(type_a_) || is_wide_integer(type_b_));
    partials_.resize((count_ + kBlock - 1) / kBlock);
  }

  std::size_t blocks() const { return partials_.size(); }

  void measure(std::size_t block, NumberBlock* a, NumberBlock* b) {
    const std::uint64_t begin = block * kBlock;
    const std::uint64_t end = std::min(begin + kBlock, count_);
    a->load(pair_.a, begin, end - begin);
    b->load(pair_.b, begin, end - begin);
    Partial& partial = partials_[block];
    partial.first_row = begin / row_size_;
    for (std::uint64_t at = begin; at < end;) {
      const std::uint64_t row = at / row_size_;
      const std::uint64_t stop = std::min(end, (row + 1) * row_size_);
      const std::uint64_t before = partial.differing;
      measure_run(*a, *b, begin, at, stop, &partial);
      const bool differs = partial.differing > before;
      partial.rows_differing += differs ? 1 : 0;
      if (row == partial.first_row) partial.first_row_differs = differs;
      partial.last_row = row;
      partial.last_row_differs = differs;
      at = stop;
    }
  }

  ValueRelation relation() const {
    Partial all;
    for (std::size_t i = 0; i < partials_.size(); ++i) merge(partials_[i], &all, i == 0);
    ValueRelation relation;
    relation.equal_numbers = all.unequal == 0;
    relation.minus_zeros = all.minus_zeros;
    TensorStats& stats = relation.stats;
    stats.elements = count_;
    stats.differing = all.differing;
    stats.max_abs = all.max_abs;
    stats.mean_abs = count_ == 0 ? 0 : all.sum_abs / static_cast<double>(count_);
    stats.max_relative = all.max_relative;
    if (same_type_ && is_floating(type_a_)) stats.max_ulp = all.max_ulp;
    const double norm_a = std::sqrt(all.square_a);
    const double norm_b = std::sqrt(all.square_b);
    if (norm_a > 0 && norm_b > 0) {
      stats.cosine = std::clamp(all.dot / norm_a / norm_b, -1.0, 1.0);
    } else {
      stats.cosine = norm_a == norm_b ? 1 : 0;
    }
    const double infinite = std::numeric_limits<double>::infinity();
    const auto over_a = [&](double norm) {
      return norm == 0 ? 0 : norm_a == 0 ? infinite : norm / norm_a;
    };
    stats.norm_ratio = norm_a == norm_b ? 1 : over_a(norm_b);
    const bool broken = all.nan_a != all.nan_b || all.inf_a != all.inf_b;
    stats.relative_norm = broken ? infinite : over_a(std::sqrt(all.square_difference));
    stats.rows = rows_;
    stats.rows_differing = all.rows_differing;
    stats.first = all.differing == 0 ? 0 : all.first;
    stats.nan_a = all.nan_a;
    stats.nan_b = all.nan_b;
    stats.inf_a = all.inf_a;
    stats.inf_b = all.inf_b;
    stats.pattern = pattern(all, stats);
    return relation;
  }

  /// True where every number of `to` is that of `from` rounded to `type`.
  static bool is_rounded(const TensorView& from, const TensorView& to, DType type) {
    NumberBlock source;
    NumberBlock target;
    const std::uint64_t count = component_count(from);
    for (std::uint64_t at = 0; at < count; at += kBlock) {
      const std::uint64_t size = std::min(kBlock, count - at);
      source.load(from, at, size);
      target.load(to, at, size);
      for (std::uint64_t i = 0; i < size; ++i) {
        const double rounded = round_to(type, source.numbers()[i]);
        const double found = target.numbers()[i];
        if (rounded != found && !(std::isnan(rounded) && std::isnan(found))) return false;
      }
    }
    return true;
  }

 private:
  bool same_number(double x, double y, bool same_bits) const {
    if (same_type_ && integers_) return same_bits;
    if (wide_ && (std::fabs(x) >= kExactInteger || std::fabs(y) >= kExactInteger)) return false;
    return x == y || (std::isnan(x) && std::isnan(y));
  }

  void measure_run(const NumberBlock& a, const NumberBlock& b, std::uint64_t base,
                   std::uint64_t begin, std::uint64_t end, Partial* partial) const {
    for (std::uint64_t at = begin; at < end; ++at) {
      const std::uint64_t i = at - base;
      const double x = a.numbers()[i];
      const double y = b.numbers()[i];
      if (std::isfinite(x) && std::isfinite(y)) {
        partial->dot += x * y;
        partial->square_a += x * x;
        partial->square_b += y * y;
      }
      std::uint64_t bits_a = std::bit_cast<std::uint64_t>(x);
      std::uint64_t bits_b = std::bit_cast<std::uint64_t>(y);
      if (same_type_) {
        bits_a = stored_bits(a.raw().data() + i * item_, item_);
        bits_b = stored_bits(b.raw().data() + i * item_, item_);
      }
      if (bits_a != bits_b) differs(x, y, bits_a, bits_b, at, partial);
      if (!std::isfinite(x)) ++(std::isnan(x) ? partial->nan_a : partial->inf_a);
      if (!std::isfinite(y)) ++(std::isnan(y) ? partial->nan_b : partial->inf_b);
    }
  }

  void differs(double x, double y, std::uint64_t bits_a, std::uint64_t bits_b, std::uint64_t at,
               Partial* partial) const {
    if (!same_type_ && std::isnan(x) && std::isnan(y)) return;
    ++partial->differing;
    partial->first = std::min(partial->first, at);
    if (x == -y) ++partial->negated;
    if (same_number(x, y, false)) {
      if (x == 0) ++partial->minus_zeros;
      return;
    }
    ++partial->unequal;
    if (!std::isfinite(x) || !std::isfinite(y)) return;
    const double distance = std::fabs(x - y);
    partial->sum_abs += distance;
    partial->square_difference += distance * distance;
    partial->max_abs = std::max(partial->max_abs, distance);
    partial->max_relative =
        std::max(partial->max_relative, distance / std::max(std::fabs(x), std::fabs(y)));
    if (same_type_ && is_floating(type_a_))
      partial->max_ulp = std::max(partial->max_ulp, ulp_distance(bits_a, bits_b, item_));
  }

  bool is_scaled(const TensorStats& stats) const {
    const double unit = item_ >= 4 ? 0x1p-23 : 0x1p-7;
    return 1 - stats.cosine < 16 * unit * unit && std::fabs(stats.norm_ratio - 1) > 8 * unit;
  }

  std::string pattern(const Partial& all, const TensorStats& stats) const {
    if (all.nan_a != all.nan_b) return "nan";
    if (all.differing == 1 && count_ > 1) return "one element";
    if (all.differing <= 8 && all.differing * 100 < count_) return "few elements";
    if (all.unequal > 0 && all.negated == all.differing && stats.cosine < -0.999999999)
      return "sign";
    if (stats.max_ulp == 1U) return "one ulp";
    if (is_scaled(stats)) return "scale";
    const std::string permuted = permutation_pattern(pair_.a, pair_.b, stats.norm_ratio);
    if (!permuted.empty()) return permuted;
    if (stats.rows_differing * 2 < rows_) return "few rows";
    return all.differing == count_ ? "all" : "";
  }

  const ValuePair& pair_;
  DType type_a_, type_b_;
  std::uint64_t item_, count_, rows_ = 1, row_size_ = 0;
  bool same_type_ = false, integers_ = false, wide_ = false;
  std::vector<Partial> partials_;
};

void find_rounding(const ValuePair& pair, ValueRelation* relation) {
  if (relation->equal_numbers || relation->stats.differing == 0) return;
  const DType a = component_type(pair.a.dtype());
  const DType b = component_type(pair.b.dtype());
  if (!is_floating(a) || !is_floating(b)) return;
  const auto try_types = [](const TensorView& from, const TensorView& to,
                            const std::vector<DType>& types) -> std::optional<DType> {
    for (const DType type : types) {
      if (can_round_to(type) && Measurement::is_rounded(from, to, type)) return type;
    }
    return std::nullopt;
  };
  const bool b_narrower = itemsize(b) < itemsize(a);
  const bool a_narrower = itemsize(a) < itemsize(b);
  if (!a_narrower)
    relation->rounded_b =
        try_types(pair.a, pair.b, b_narrower ? std::vector<DType>{b} : narrower_types(a));
  if (!relation->rounded_b && !b_narrower)
    relation->rounded_a =
        try_types(pair.b, pair.a, a_narrower ? std::vector<DType>{a} : narrower_types(b));
}

}  // namespace

bool have_numbers(const ValuePair& pair) {
  return has_element_values(component_type(pair.a.dtype())) &&
         has_element_values(component_type(pair.b.dtype())) &&
         component_count(pair.a) == component_count(pair.b);
}

std::vector<ValueRelation> relate_values(const std::vector<ValuePair>& pairs, int threads) {
  const FloatMode contract;
  std::vector<Measurement> measurements;
  measurements.reserve(pairs.size());
  std::vector<std::pair<std::size_t, std::size_t>> work;  // pair and block
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    SAMEBITS_CHECK(have_numbers(pairs[i]));
    measurements.emplace_back(pairs[i]);
    for (std::size_t block = 0; block < measurements[i].blocks(); ++block)
      work.emplace_back(i, block);
  }
  constexpr std::size_t kRun = 8;  // blocks that share buffers
  parallel_for((work.size() + kRun - 1) / kRun, threads, [&](std::size_t run) {
    NumberBlock a;
    NumberBlock b;
    for (std::size_t i = run * kRun; i < std::min(work.size(), (run + 1) * kRun); ++i)
      measurements[work[i].first].measure(work[i].second, &a, &b);
  });
  std::vector<ValueRelation> relations(pairs.size());
  parallel_for(pairs.size(), threads, [&](std::size_t i) {
    relations[i] = measurements[i].relation();
    find_rounding(pairs[i], &relations[i]);
  });
  return relations;
}

}  // namespace samebits
