#include "samebits/compare/low_rank.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "samebits/compare/number_block.h"
#include "samebits/compare/tensor_stats.h"

namespace samebits {
namespace {

constexpr std::uint64_t kSampleSide = 512;

/// Distance of a number from its successor, relative to the number.
double spacing(DType type) {
  switch (type) {
    case DType::float64: return std::ldexp(1.0, -52);
    case DType::float32: return std::ldexp(1.0, -23);
    case DType::float16: return std::ldexp(1.0, -10);
    case DType::bfloat16: return std::ldexp(1.0, -7);
    default: return 0;
  }
}

std::vector<std::uint64_t> evenly_spaced(std::uint64_t size) {
  const std::uint64_t count = std::min(size, kSampleSide);
  std::vector<std::uint64_t> indexes(count);
  for (std::uint64_t i = 0; i < count; ++i) indexes[i] = i * size / count;
  return indexes;
}

/// What an elimination with complete pivoting has left of some columns of a matrix.
class Sample {
 public:
  Sample(const std::vector<std::vector<double>>& rows, const std::vector<std::uint64_t>& columns)
      : columns_(columns) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      Row row{i, 0, {}};
      for (const std::uint64_t column : columns) {
        row.values.push_back(rows[i][column]);
        row.largest = std::max(row.largest, std::abs(row.values.back()));
      }
      rows_.push_back(std::move(row));
    }
  }

  /// 0 where nothing is left.
  double largest() const { return rows_.empty() ? 0 : rows_[largest_row()].largest; }

  /// Eliminates by the largest element, whose row and column are left out from then on. Gives both,
  /// as they were counted at first.
  std::pair<std::size_t, std::uint64_t> take_pivot() {
    const Row pivot = take(rows_, largest_row());
    const auto found = std::ranges::find(pivot.values, pivot.largest,
                                         [](double value) { return std::abs(value); });
    const auto column = static_cast<std::size_t>(found - pivot.values.begin());
    std::vector<double> others = pivot.values;
    const double value = take(others, column);
    for (Row& row : rows_) row.subtract(take(row.values, column) / value, others);
    return {pivot.index, take(columns_, column)};
  }

 private:
  struct Row {
    std::size_t index = 0;
    double largest = 0;
    std::vector<double> values;

    void subtract(double factor, const std::vector<double>& other) {
      largest = 0;
      for (std::size_t j = 0; j < values.size(); ++j) {
        values[j] -= factor * other[j];
        largest = std::max(largest, std::abs(values[j]));
      }
    }
  };

  /// The last element takes its place.
  template <class T>
  static T take(std::vector<T>& values, std::size_t index) {
    std::swap(values[index], values.back());
    T value = std::move(values.back());
    values.pop_back();
    return value;
  }

  std::size_t largest_row() const {
    const auto largest = std::ranges::max_element(rows_, {}, &Row::largest);
    return static_cast<std::size_t>(largest - rows_.begin());
  }

  std::vector<Row> rows_;
  std::vector<std::uint64_t> columns_;
};

class DifferenceRank {
 public:
  DifferenceRank(const TensorView& a, const TensorView& b)
      : a_(a),
        b_(b),
        rows_(static_cast<std::uint64_t>(a.shape()[0])),
        columns_(a.numel() / rows_),
        row_sample_(evenly_spaced(rows_)),
        column_sample_(evenly_spaced(columns_)) {}

  std::optional<LowRank> find() {
    if (!load() || !eliminate()) return std::nullopt;
    const auto rank = static_cast<std::uint32_t>(pivots_.size());
    const double residual = check();
    if (!(residual <= 64 * noise_)) return std::nullopt;
    return LowRank{.rank = rank, .residual = residual};
  }

 private:
  /// The sampled rows whole, and the noise that rounding leaves in their difference.
  bool load() {
    double largest_a = 0;
    double largest_b = 0;
    double largest = 0;
    double lowest = std::numeric_limits<double>::infinity();
    double highest = -lowest;
    for (const std::uint64_t row : row_sample_) {
      left_.load(a_, row * columns_, columns_);
      right_.load(b_, row * columns_, columns_);
      std::vector<double> difference(columns_);
      for (std::uint64_t j = 0; j < columns_; ++j) {
        const double x = left_.numbers()[j];
        const double y = right_.numbers()[j];
        if (!std::isfinite(x) || !std::isfinite(y)) return false;
        largest_a = std::max(largest_a, std::abs(x));
        largest_b = std::max(largest_b, std::abs(y));
        difference[j] = y - x;
        largest = std::max(largest, std::abs(difference[j]));
        lowest = std::min(lowest, difference[j]);
        highest = std::max(highest, difference[j]);
      }
      whole_.push_back(std::move(difference));
    }
    noise_ = std::max(spacing(a_.dtype()), spacing(b_.dtype())) / 2 * (largest_a + largest_b);
    // One number added everywhere has rank 1, and is no adapter.
    return noise_ > 0 && largest > 128 * noise_ && highest - lowest > 128 * noise_;
  }

  /// Pivots of the sample, until nothing but noise is left.
  bool eliminate() {
    const std::size_t side = std::min(row_sample_.size(), column_sample_.size());
    const std::size_t few = std::min<std::size_t>(side / 4, 128);
    const std::size_t most = std::min<std::size_t>(side * 3 / 4, 384);
    double least_pivot = std::numeric_limits<double>::infinity();
    Sample rest(whole_, column_sample_);
    for (;;) {
      const double pivot = rest.largest();
      // Many pivots that fade into the noise are a training's; a product's end at once.
      if (pivot <= 16 * noise_)
        return !pivots_.empty() && (pivots_.size() <= few || least_pivot > 1024 * noise_);
      if (pivots_.size() == most) return false;
      least_pivot = std::min(least_pivot, pivot);
      pivots_.push_back(rest.take_pivot());
    }
  }

  /// The same elimination on whole rows, by the pivots that are known.
  double check() {
    double residual = 0;
    std::vector<std::vector<double>> rest = whole_;
    for (const auto& [row, column] : pivots_) {
      const std::vector<double> pivot_row = rest[row];
      for (std::vector<double>& each : rest) {
        const double factor = each[column] / pivot_row[column];
        for (std::uint64_t j = 0; j < columns_; ++j) each[j] -= factor * pivot_row[j];
        each[column] = 0;
      }
    }
    for (const std::vector<double>& each : rest)
      for (const double x : each) residual = std::max(residual, std::abs(x));
    return residual;
  }

  const TensorView& a_;
  const TensorView& b_;
  std::uint64_t rows_, columns_;
  std::vector<std::uint64_t> row_sample_, column_sample_;
  NumberBlock left_, right_;
  std::vector<std::vector<double>> whole_;
  std::vector<std::pair<std::size_t, std::uint64_t>> pivots_;  // row of the sample, column
  double noise_ = 0;
};

}  // namespace

std::optional<LowRank> low_rank_difference(const TensorView& a, const TensorView& b) {
  constexpr std::uint64_t kMostColumns = 65'536;
  const bool comparable = a.shape() == b.shape() && a.shape().size() >= 2 && a.numel() > 0 &&
                          is_floating(a.dtype()) && is_floating(b.dtype()) &&
                          spacing(a.dtype()) > 0 && spacing(b.dtype()) > 0;
  if (!comparable) return std::nullopt;
  const auto rows = static_cast<std::uint64_t>(a.shape()[0]);
  if (rows < 8 || a.numel() / rows < 8 || a.numel() / rows > kMostColumns) return std::nullopt;
  return DifferenceRank(a, b).find();
}

}  // namespace samebits
