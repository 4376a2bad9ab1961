#include "samebits/compare/tensor_stats.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "samebits/base/float_mode.h"
#include "samebits/base/parallel.h"
#include "samebits/base/work_meter.h"
#include "samebits/compare/number_block.h"
#include "samebits/compare/pair_measurement.h"
#include "samebits/compare/permuted_rows.h"
#include "samebits/compare/rounding.h"

namespace samebits {
namespace {

// Larger pairs are looked at one after the other, by all threads together.
constexpr std::uint64_t kLargePair = 1 << 20;

bool is_scaled(const TensorStats& stats, std::uint64_t item) {
  const double unit = item >= 4 ? 0x1p-23 : 0x1p-7;
  return 1 - std::fabs(stats.cosine) < 16 * unit * unit &&
         std::fabs(stats.norm_ratio - 1) > 8 * unit;
}

/// Where two tensors differ, one of them has zeros: as a mask that was multiplied in leaves it.
bool is_masked(const TensorView& whole, const TensorView& masked, int threads) {
  constexpr std::uint64_t kMaskBlock = 1 << 16;
  const std::uint64_t count = component_count(whole);
  std::atomic<bool> so{true};
  parallel_for((count + kMaskBlock - 1) / kMaskBlock, threads, [&](std::size_t block) {
    if (!so.load(std::memory_order_relaxed)) return;
    const std::uint64_t first = block * kMaskBlock;
    const std::uint64_t size = std::min(kMaskBlock, count - first);
    NumberBlock x;
    NumberBlock y;
    x.load(whole, first, size);
    y.load(masked, first, size);
    for (std::size_t i = 0; i < size; ++i)
      if (y.numbers()[i] != 0 && x.numbers()[i] != y.numbers()[i])
        so.store(false, std::memory_order_relaxed);
  });
  return so;
}

/// "zeros in B" or "zeros in A". The dot product of a tensor and itself with a mask is the square
/// of the masked one.
std::string zeroed_side(const ValuePair& pair, const PartialStats& all, const TensorStats& stats,
                        int threads) {
  if (all.differing == component_count(pair.a) || all.nan_a + all.nan_b > 0) return "";
  const auto near = [&](double square) { return std::fabs(all.dot - square) <= 1e-9 * square; };
  if (stats.norm_ratio < 1 && near(all.square_b) && is_masked(pair.a, pair.b, threads))
    return "zeros in B";
  if (stats.norm_ratio > 1 && near(all.square_a) && is_masked(pair.b, pair.a, threads))
    return "zeros in A";
  return "";
}

std::string pattern_of_change(const ValuePair& pair, const PairMeasurement& measurement,
                              const PartialStats& all, const TensorStats& stats, int threads) {
  const std::uint64_t count = measurement.count();
  if (all.nan_a != all.nan_b) return "nan";
  if (all.differing == 1 && count > 1) return "one element";
  if (all.differing <= 8 && all.differing * 100 < count) return "few elements";
  if (all.unequal > 0 && stats.cosine < -0.999999999 && measurement.is_negation(threads))
    return "sign";
  if (stats.max_ulp == 1U) return "one ulp";
  if (is_scaled(stats, measurement.item())) return "scale";
  if (const std::string zeros = zeroed_side(pair, all, stats, threads); !zeros.empty())
    return zeros;
  const std::string permuted = permutation_pattern(pair.a, pair.b, stats.norm_ratio, threads);
  if (!permuted.empty()) return permuted;
  if (stats.rows_differing * 2 < measurement.rows()) return "few rows";
  return all.differing == count ? "all" : "";
}

ValueRelation relation_of(const ValuePair& pair, const PairMeasurement& measurement, int threads) {
  const PartialStats all = measurement.total();
  const std::uint64_t count = measurement.count();
  ValueRelation relation;
  relation.equal_numbers = all.unequal == 0;
  relation.minus_zeros = all.minus_zeros;
  TensorStats& stats = relation.stats;
  stats.elements = count;
  stats.differing = all.differing;
  stats.max_abs = all.max_abs;
  stats.mean_abs = count == 0 ? 0 : all.sum_abs / static_cast<double>(count);
  stats.max_relative = all.max_relative;
  if (measurement.has_ulp()) stats.max_ulp = all.max_ulp;
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
  stats.norm_a = norm_a;
  stats.norm_difference = std::sqrt(all.square_difference);
  const bool broken = all.nan_a != all.nan_b || all.inf_a != all.inf_b;
  stats.relative_norm = broken ? infinite : over_a(stats.norm_difference);
  stats.rows = measurement.rows();
  stats.rows_differing = all.rows_differing;
  stats.first = all.differing == 0 ? 0 : all.first;
  stats.nan_a = all.nan_a;
  stats.nan_b = all.nan_b;
  stats.inf_a = all.inf_a;
  stats.inf_b = all.inf_b;
  stats.pattern = pattern_of_change(pair, measurement, all, stats, threads);
  return relation;
}

bool run_is_rounded(const TensorView& from, const TensorView& to, DType type, std::uint64_t first,
                    std::uint64_t count) {
  NumberBlock source;
  NumberBlock target;
  source.load(from, first, count);
  target.load(to, first, count);
  const std::span<double> rounded = source.numbers();
  const std::span<const double> found = target.numbers();
  round_all(type, rounded);
  NumberBlock again;  // the source, where a number went beyond the range
  for (std::size_t i = 0; i < rounded.size(); ++i) {
    if (rounded[i] == found[i] || (std::isnan(rounded[i]) && std::isnan(found[i]))) continue;
    if (!std::isnan(rounded[i])) return false;
    again.load(from, first + i, 1);
    if (saturated(type, again.numbers()[0]) != found[i]) return false;
  }
  return true;
}

/// True where every number of `to` is that of `from` rounded to `type`.
bool is_rounded(const TensorView& from, const TensorView& to, DType type, int threads) {
  constexpr std::uint64_t kRoundedBlock = 1 << 16;
  constexpr std::uint64_t kFirst = 64;  // settles nearly all
  const std::uint64_t count = component_count(from);
  if (!run_is_rounded(from, to, type, 0, std::min(kFirst, count))) return false;
  std::atomic<bool> rounded{true};
  parallel_for((count + kRoundedBlock - 1) / kRoundedBlock, threads, [&](std::size_t block) {
    const std::uint64_t first = block * kRoundedBlock;
    if (rounded.load(std::memory_order_relaxed) &&
        !run_is_rounded(from, to, type, first, std::min(kRoundedBlock, count - first)))
      rounded.store(false, std::memory_order_relaxed);
  });
  return rounded;
}

std::optional<DType> rounded_to(const TensorView& from, const TensorView& to,
                                const std::vector<DType>& types, int threads) {
  for (const DType type : types) {
    if (can_round_to(type) && is_rounded(from, to, type, threads)) return type;
  }
  return std::nullopt;
}

RoundingLoss loss_in_run(const TensorView& from, const TensorView& to, DType type,
                         std::uint64_t first, std::uint64_t count) {
  RoundingLoss loss;
  NumberBlock wide;
  NumberBlock narrow;
  wide.load(from, first, count);
  narrow.load(to, first, count);
  for (std::size_t i = 0; i < count; ++i) {
    const double before = wide.numbers()[i];
    const double after = narrow.numbers()[i];
    if (!std::isfinite(before)) continue;
    loss.overflowed += !std::isfinite(after) || after == saturated(type, before) ? 1 : 0;
    loss.flushed += after == 0 && before != 0 ? 1 : 0;
  }
  return loss;
}

RoundingLoss rounding_loss(const TensorView& from, const TensorView& to, DType type, int threads) {
  constexpr std::uint64_t kLossBlock = 1 << 16;
  const std::uint64_t count = component_count(from);
  std::vector<RoundingLoss> parts((count + kLossBlock - 1) / kLossBlock);
  parallel_for(parts.size(), threads, [&](std::size_t block) {
    const std::uint64_t first = block * kLossBlock;
    parts[block] = loss_in_run(from, to, type, first, std::min(kLossBlock, count - first));
  });
  RoundingLoss all;
  for (const RoundingLoss& part : parts) {
    all.overflowed += part.overflowed;
    all.flushed += part.flushed;
  }
  return all;
}

void find_rounding(const ValuePair& pair, int threads, ValueRelation* relation) {
  if (relation->equal_numbers || relation->stats.differing == 0) return;
  const DType a = component_type(pair.a.dtype());
  const DType b = component_type(pair.b.dtype());
  if (!is_floating(a) || !is_floating(b)) return;
  const bool b_narrower = itemsize(b) < itemsize(a);
  const bool a_narrower = itemsize(a) < itemsize(b);
  if (!a_narrower)
    relation->rounded_b =
        rounded_to(pair.a, pair.b, b_narrower ? std::vector<DType>{b} : narrower_types(a), threads);
  if (!relation->rounded_b && !b_narrower)
    relation->rounded_a =
        rounded_to(pair.b, pair.a, a_narrower ? std::vector<DType>{a} : narrower_types(b), threads);
  if (relation->rounded_b)
    relation->loss = rounding_loss(pair.a, pair.b, *relation->rounded_b, threads);
  if (relation->rounded_a)
    relation->loss = rounding_loss(pair.b, pair.a, *relation->rounded_a, threads);
}

}  // namespace

bool have_numbers(const ValuePair& pair) {
  return has_element_values(component_type(pair.a.dtype())) &&
         has_element_values(component_type(pair.b.dtype())) &&
         component_count(pair.a) == component_count(pair.b);
}

std::vector<ValueRelation> relate_values(const std::vector<ValuePair>& pairs, int threads) {
  const FloatMode contract;
  std::vector<PairMeasurement> measurements;
  measurements.reserve(pairs.size());
  std::vector<std::pair<std::size_t, std::size_t>> work;  // pair and block
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    SAMEBITS_CHECK(have_numbers(pairs[i]));
    measurements.emplace_back(pairs[i]);
    for (std::size_t block = 0; block < measurements[i].blocks(); ++block)
      work.emplace_back(i, block);
  }
  WorkStep step("measuring differences", work.size());
  parallel_for(work.size(), threads, [&](std::size_t i) {
    measurements[work[i].first].measure(work[i].second);
    step.add(1);
  });
  std::vector<ValueRelation> relations(pairs.size());
  const auto relate = [&](std::size_t i, int own_threads) {
    relations[i] = relation_of(pairs[i], measurements[i], own_threads);
    find_rounding(pairs[i], own_threads, &relations[i]);
  };
  std::vector<std::size_t> small;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (measurements[i].count() < kLargePair) small.push_back(i);
  }
  parallel_for(small.size(), threads, [&](std::size_t i) { relate(small[i], 1); });
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (measurements[i].count() >= kLargePair) relate(i, threads);
  }
  return relations;
}

}  // namespace samebits
