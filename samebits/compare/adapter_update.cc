#include "samebits/compare/adapter_update.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "samebits/compare/number_block.h"
#include "samebits/compare/rounding.h"

namespace samebits {
namespace {

constexpr std::uint64_t kGlance = 4;  // rows
constexpr std::uint64_t kEveryRow = ~std::uint64_t{0};
constexpr std::uint64_t kMostFactorElements = std::uint64_t{1} << 26;

/// A small dense matrix; tensors of more dimensions count as matrices of their first one.
struct Dense {
  std::uint64_t rows = 0, columns = 0;
  std::vector<double> values;
  double at(std::uint64_t i, std::uint64_t j) const { return values[i * columns + j]; }
};

bool is_real(const TensorView& view) {
  return info(view.dtype()).family == DTypeFamily::floating && has_element_values(view.dtype());
}

std::optional<Dense> dense(const AdapterFactors& factors, const char* name) {
  const auto found = factors.find(name);
  if (found == factors.end() || !is_real(found->second)) return std::nullopt;
  const TensorView& view = found->second;
  if (view.shape().empty() || view.numel() == 0 || view.numel() > kMostFactorElements)
    return std::nullopt;
  NumberBlock block;
  block.load(view, 0, view.numel());
  Dense result{.rows = static_cast<std::uint64_t>(view.shape()[0])};
  result.columns = view.numel() / result.rows;
  result.values.assign(block.numbers().begin(), block.numbers().end());
  return result;
}

/// The matrix of that name, or the product of its two parts.
std::optional<Dense> whole_or_product(const AdapterFactors& factors, const std::string& name) {
  if (auto whole = dense(factors, name.c_str())) return whole;
  const auto left = dense(factors, (name + "_a").c_str());
  const auto right = dense(factors, (name + "_b").c_str());
  if (!left || !right || left->columns != right->rows ||
      left->rows * right->columns > kMostFactorElements)
    return std::nullopt;
  Dense result{.rows = left->rows, .columns = right->columns};
  result.values.assign(result.rows * result.columns, 0);
  for (std::uint64_t i = 0; i < left->rows; ++i)
    for (std::uint64_t k = 0; k < left->columns; ++k)
      for (std::uint64_t j = 0; j < right->columns; ++j)
        result.values[i * result.columns + j] += left->at(i, k) * right->at(k, j);
  return result;
}

/// One row of what the factors make, before it is scaled.
class Update {
 public:
  explicit Update(const AdapterFactors& factors)
      : down_(dense(factors, "lora_A")),
        up_(dense(factors, "lora_B")),
        first_(whole_or_product(factors, factors.contains("hada_w1_a") ? "hada_w1" : "lokr_w1")),
        second_(whole_or_product(factors, factors.contains("hada_w1_a") ? "hada_w2" : "lokr_w2")),
        ia3_(dense(factors, "ia3_l")),
        magnitudes_(dense(factors, "lora_magnitude_vector")),
        hadamard_(factors.contains("hada_w1_a")) {
    for (const char* other : {"hada_t1", "lokr_t2"}) known_ = known_ && !factors.contains(other);
    if (factors.contains("lora_E")) scale_rows(dense(factors, "lora_E"));
    if (down_ && up_ && up_->columns != down_->rows) known_ = false;
    // peft keeps l as [out, 1], or as [1, in] for the layers of the feed-forward part.
    by_row_ = ia3_ && ia3_->columns == 1;
  }

  /// DoRA's magnitude for each row; nothing of other adapters.
  const std::optional<Dense>& magnitudes() const { return magnitudes_; }

  bool fits(std::uint64_t rows, std::uint64_t columns, bool transposed) const {
    if (!known_) return false;
    if (magnitudes_ && (transposed || magnitudes_->values.size() != rows)) return false;
    if (ia3_) return !transposed && ia3_->values.size() == (by_row_ ? rows : columns);
    if (transposed) std::swap(rows, columns);
    if (down_ && up_) return up_->rows == rows && down_->columns == columns;
    if (!first_ || !second_) return false;
    if (hadamard_)
      return first_->rows == rows && second_->rows == rows && first_->columns == columns &&
             second_->columns == columns;
    return first_->rows * second_->rows == rows && first_->columns * second_->columns == columns;
  }

  void row(std::uint64_t i, bool transposed, std::span<const double> base,
           std::vector<double>* result) const {
    if (down_ && up_ && !transposed) return product_row(i, result);
    for (std::uint64_t j = 0; j < result->size(); ++j)
      (*result)[j] = ia3_ ? base[j] * (ia3_->values[by_row_ ? i : j] - 1)
                          : (transposed ? element(j, i) : element(i, j));
  }

 private:
  /// AdaLoRA: B (E A), with a number of E for each row of A.
  void scale_rows(const std::optional<Dense>& by) {
    known_ = known_ && by && down_ && by->values.size() == down_->rows;
    for (std::uint64_t i = 0; known_ && i < down_->values.size(); ++i)
      down_->values[i] *= by->values[i / down_->columns];
  }

  void product_row(std::uint64_t i, std::vector<double>* result) const {
    std::fill(result->begin(), result->end(), 0);
    for (std::uint64_t k = 0; k < down_->rows; ++k) {
      const double factor = up_->at(i, k);
      const double* row = down_->values.data() + k * down_->columns;
      for (std::uint64_t j = 0; j < result->size(); ++j) (*result)[j] += factor * row[j];
    }
  }

  double element(std::uint64_t i, std::uint64_t j) const {
    if (down_ && up_) {
      double sum = 0;
      for (std::uint64_t k = 0; k < down_->rows; ++k) sum += up_->at(i, k) * down_->at(k, j);
      return sum;
    }
    if (hadamard_) return first_->at(i, j) * second_->at(i, j);
    return first_->at(i / second_->rows, j / second_->columns) *
           second_->at(i % second_->rows, j % second_->columns);
  }

  std::optional<Dense> down_, up_, first_, second_, ia3_, magnitudes_;
  bool hadamard_ = false, known_ = true, by_row_ = false;
};

/// Rows of merged - base, each beside the update's.
class FittedRows {
 public:
  FittedRows(const TensorView& base, const TensorView& merged, const Update& update,
             bool transposed)
      : base_(base),
        merged_(merged),
        update_(update),
        transposed_(transposed),
        rows_(static_cast<std::uint64_t>(base.shape()[0])),
        columns_(base.numel() / rows_),
        row_(columns_) {}

  bool fits() const { return update_.fits(rows_, columns_, transposed_); }

  /// Calls visit(difference, update, larger of the two weights' magnitudes) for each element of so
  /// many evenly spaced rows.
  template <class Visit>
  void visit(std::uint64_t most_rows, const Visit& visit) {
    visit_weights(most_rows, [&](double from, double to, double product) {
      visit(to - from, product, std::max(std::abs(from), std::abs(to)));
    });
  }

  /// Calls visit(base, merged, update) for the same elements.
  template <class Visit>
  void visit_weights(std::uint64_t most_rows, const Visit& visit) {
    const std::uint64_t count = std::min(rows_, most_rows);
    for (std::uint64_t k = 0; k < count; ++k) {
      const std::uint64_t i = k * rows_ / count;
      left_.load(base_, i * columns_, columns_);
      right_.load(merged_, i * columns_, columns_);
      update_.row(i, transposed_, left_.numbers(), &row_);
      for (std::uint64_t j = 0; j < columns_; ++j)
        visit(left_.numbers()[j], right_.numbers()[j], row_[j]);
    }
  }

 private:
  const TensorView& base_;
  const TensorView& merged_;
  const Update& update_;
  bool transposed_;
  std::uint64_t rows_, columns_;
  std::vector<double> row_;
  NumberBlock left_, right_;
};

bool is_half(DType type) { return type == DType::bfloat16 || type == DType::float16; }

std::optional<UpdateFit> fit(const TensorView& base, const TensorView& merged, const Update& update,
                             bool transposed, std::uint64_t most_rows) {
  FittedRows rows(base, merged, update, transposed);
  if (!rows.fits() || update.magnitudes()) return std::nullopt;
  double both = 0;
  double own = 0;
  double size = 0;
  rows.visit(most_rows, [&](double difference, double product, double magnitude) {
    both += difference * product;
    own += product * product;
    size = std::max(size, magnitude);
  });
  if (!std::isfinite(both) || !std::isfinite(own) || own == 0) return std::nullopt;
  UpdateFit result{.scale = both / own};
  rows.visit(most_rows, [&](double difference, double product, double) {
    result.largest = std::max(result.largest, std::abs(difference));
    result.residual = std::max(result.residual, std::abs(difference - result.scale * product));
  });
  const double noise = std::max(half_spacing(base.dtype()), half_spacing(merged.dtype())) * size;
  result.rounding = result.residual <= 16 * noise && result.largest > 128 * noise;
  return result;
}

/// How many elements are base + scale * product, rounded to the merged type: merged as float32 and
/// rounded at the end, or the update rounded first, as peft does it in a half type. The residual is
/// in steps of the merged type.
UpdateFit fit_rounded(FittedRows* rows, DType type, double scale, std::uint64_t most_rows) {
  UpdateFit found{.scale = scale};
  std::uint64_t at_once = 0;
  std::uint64_t update_first = 0;
  std::uint64_t moved = 0;
  rows->visit_weights(most_rows, [&](double from, double to, double product) {
    const double sum = from + scale * product;
    ++found.elements;
    at_once += round_to(type, sum) == to ? 1 : 0;
    update_first += round_to(type, from + round_to(type, scale * product)) == to ? 1 : 0;
    moved += round_to(type, from) != to ? 1 : 0;
    found.largest = std::max(found.largest, std::abs(to - from));
    found.residual = std::max(found.residual, std::abs(to - sum));
  });
  found.rounded = std::max(at_once, update_first);
  // One in a thousand may be rounded otherwise after sums in another order; an update that moves
  // next to nothing shows nothing.
  constexpr std::uint64_t kFewestMoved = 16;
  found.rounding = found.rounded * 1000 >= found.elements * 995 &&
                   moved >= std::max(kFewestMoved, found.elements / 50);
  return found;
}

/// Merged weights of a half type, by a scale that is known. A few rows show most of what does not
/// fit.
std::optional<UpdateFit> fit_half(const TensorView& base, const TensorView& merged,
                                  const Update& update, double scale) {
  for (const bool transposed : {false, true}) {
    FittedRows rows(base, merged, update, transposed);
    if (!rows.fits()) continue;
    const UpdateFit glance = fit_rounded(&rows, merged.dtype(), scale, kGlance);
    if (glance.rounded * 10 < glance.elements * 9) continue;
    const UpdateFit found = fit_rounded(&rows, merged.dtype(), scale, kEveryRow);
    if (found.rounding) return found;
  }
  return std::nullopt;
}

/// DoRA: each row of base + scale * B A, brought to its magnitude.
std::optional<UpdateFit> fit_magnitudes(const TensorView& base, const TensorView& merged,
                                        const Update& update, double scale) {
  FittedRows rows(base, merged, update, false);
  if (!rows.fits() || base.shape().size() != 2) return std::nullopt;
  const auto columns = static_cast<std::uint64_t>(base.shape()[1]);
  UpdateFit found{.scale = scale};
  double size = 0;
  std::vector<double> sums;
  std::vector<double> there;
  std::uint64_t row = 0;
  rows.visit_weights(kEveryRow, [&](double from, double to, double product) {
    sums.push_back(from + scale * product);
    there.push_back(to);
    found.largest = std::max(found.largest, std::abs(to - from));
    size = std::max({size, std::abs(from), std::abs(to)});
    if (sums.size() < columns) return;
    double square = 0;
    for (const double sum : sums) square += sum * sum;
    const double factor = update.magnitudes()->values[row++] / std::sqrt(square);
    for (std::uint64_t j = 0; j < columns; ++j)
      found.residual = std::max(found.residual, std::abs(there[j] - factor * sums[j]));
    sums.clear();
    there.clear();
  });
  if (!std::isfinite(found.residual)) return std::nullopt;
  const double noise = std::max(half_spacing(base.dtype()), half_spacing(merged.dtype())) * size;
  found.rounding = found.residual <= 16 * noise && found.largest > 128 * noise;
  return found;
}

}  // namespace

std::optional<UpdateFit> fit_update(const TensorView& base, const TensorView& merged,
                                    const AdapterFactors& factors, std::optional<double> expected) {
  // IA3 scales biases with the rows of their weights.
  const std::size_t least = factors.contains("ia3_l") ? 1 : 2;
  if (!is_real(base) || !is_real(merged) || base.shape() != merged.shape() ||
      base.shape().size() < least || base.numel() == 0)
    return std::nullopt;
  const Update update(factors);
  if (expected) {
    for (const bool reversed : {false, true}) {
      const TensorView& from = reversed ? merged : base;
      const TensorView& to = reversed ? base : merged;
      auto found = update.magnitudes()   ? fit_magnitudes(from, to, update, *expected)
                   : is_half(to.dtype()) ? fit_half(from, to, update, *expected)
                                         : std::nullopt;
      if (!found || !found->rounding) continue;
      if (reversed) found->scale = -found->scale;
      return found;
    }
  }
  std::optional<UpdateFit> best;
  for (const bool transposed : {false, true}) {
    // A few rows show most of what does not fit.
    const auto glance = fit(base, merged, update, transposed, kGlance);
    if (!glance || !glance->rounding) {
      if (glance && !best) best = glance;
      continue;
    }
    const auto found = fit(base, merged, update, transposed, kEveryRow);
    if (found && (!best || found->residual < best->residual || !best->rounding)) best = found;
  }
  return best;
}

}  // namespace samebits
