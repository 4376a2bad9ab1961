#include "samebits/convert/merge_layer.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <span>
#include <utility>

#include "samebits/compare/number_block.h"
#include "samebits/compare/rounding.h"
#include "samebits/convert/planned_bytes.h"
#include "samebits/kernels/kernel_choice.h"
#include "samebits/kernels/linear.h"
#include "samebits/kernels/packing.h"

namespace samebits {
namespace {

using Floats = std::vector<float>;

std::uint64_t size_at(const Shape& shape, std::size_t at) {
  return static_cast<std::uint64_t>(shape[at]);
}

Floats floats_of(const TensorView& view) {
  Floats values;
  values.reserve(view.numel());
  for_each_number(view, [&](double number) { values.push_back(static_cast<float>(number)); });
  return values;
}

/// The type in which torch adds numbers of two types.
DType wider(DType a, DType b) {
  if (a == b) return a;
  return a == DType::float64 || b == DType::float64 ? DType::float64 : DType::float32;
}

/// As the result of an operation on numbers of that type: torch computes half types in float32, by
/// whose way round_to() goes, too.
double rounded(DType type, double value) {
  return type == DType::float64 ? value : round_to(type, value);
}

/// Rows of the base with their update added, before the base's type is restored.
class MergedRows {
 public:
  MergedRows(const TensorView& base, const LowRankUpdate& update, ThreadPool& pool)
      : base_(base),
        pool_(pool),
        rank_(size_at(update.down.shape(), 0)),
        rows_(size_at(base.shape(), 0)),
        columns_(base.numel() / rows_),
        factor_type_(update.up.dtype()),
        type_(wider(base.dtype(), factor_type_)),
        scale_(static_cast<float>(update.scale)) {
    const Floats down = floats_of(update.down), up = floats_of(update.up);
    if (update.transposed) {
      left_.resize(down.size());
      transpose(down.data(), rank_, rows_, rows_, left_.data(), rank_);
      right_ = PackedMatrix(up.data(), columns_, rank_, rank_);
    } else {
      left_ = up;
      right_ = PackedMatrix(columns_, rank_);
      pack_tiles_of_columns(down.data(), rank_, columns_, columns_, right_.tile(0));
    }
  }

  DType type() const { return type_; }

  /// Calls visit(i, row) for each of rows [first, first + count), on all threads.
  template <class Visit>
  void visit(std::uint64_t first, std::uint64_t count, const Visit& visit) {
    const Floats no_bias(columns_);
    Floats product(count * columns_);
    linear({*default_kernels().kernels, pool_}, left_.data() + first * rank_, rank_, count, right_,
           no_bias.data(), Epilogue::bias, product.data(), columns_);
    pool_.run(count, [&](std::size_t k) {
      NumberBlock row;
      row.load(base_, (first + k) * columns_, columns_);
      std::vector<double> update(columns_);
      for (std::uint64_t j = 0; j < columns_; ++j)
        update[j] = double{product[k * columns_ + j]} * double{scale_};
      round_all(factor_type_, update);
      for (std::uint64_t j = 0; j < columns_; ++j) row.numbers()[j] += update[j];
      round_all(type_, row.numbers());
      visit(first + k, row.numbers());
    });
  }

  /// All rows, a few megabytes of them at a time.
  template <class Visit>
  void visit_all(const Visit& visit_row) {
    const std::uint64_t some = std::max<std::uint64_t>(1, (4 << 20) / columns_);
    for (std::uint64_t first = 0; first < rows_; first += some)
      visit(first, std::min(some, rows_ - first), visit_row);
  }

 private:
  const TensorView& base_;
  ThreadPool& pool_;
  std::uint64_t rank_, rows_, columns_;
  DType factor_type_, type_;
  float scale_;
  Floats left_;         // [rows, rank]
  PackedMatrix right_;  // [columns, rank]
};

/// DoRA: what the rows of [out, in] are multiplied with. Where they are columns of the base, its
/// rows are added one after the other, so that sums have one order.
std::vector<double> row_factors(const TensorView& base, const LowRankUpdate& update,
                                ThreadPool& pool) {
  const Floats magnitudes = floats_of(*update.magnitudes);
  std::vector<double> factors(magnitudes.size());
  ThreadPool alone(1);
  MergedRows merged(base, update, update.transposed ? alone : pool);
  merged.visit_all([&](std::uint64_t i, std::span<const double> row) {
    for (std::size_t j = 0; j < row.size(); ++j)
      factors[update.transposed ? j : i] += row[j] * row[j];
  });
  const DType type = wider(update.magnitudes->dtype(), merged.type());
  for (std::size_t i = 0; i < factors.size(); ++i)
    factors[i] = rounded(type, magnitudes[i] / rounded(merged.type(), std::sqrt(factors[i])));
  return factors;
}

bool is_factor_type(DType type) {
  return type == DType::float32 || type == DType::float16 || type == DType::bfloat16;
}

Result<void> check_types(const TensorView& base, const LowRankUpdate& update) {
  const auto refused = [](const char* what, DType type) {
    return fail({.code = ErrorCode::unsupported,
                 .what = std::string(what) + std::string(info(type).torch),
                 .hint = "Merge it with peft: model.merge_and_unload()"});
  };
  if (!can_cast_to(base.dtype())) return refused("its base weight is ", base.dtype());
  for (const DType type : {update.up.dtype(), update.down.dtype()})
    if (!is_factor_type(type) || type != update.up.dtype())
      return refused("its factors are of different types, or of one not merged here: ", type);
  if (update.magnitudes && !is_factor_type(update.magnitudes->dtype()))
    return refused("its magnitudes are ", update.magnitudes->dtype());
  return {};
}

}  // namespace

std::optional<Shape> shape_of_update(const LowRankUpdate& update) {
  const Shape &down = update.down.shape(), &up = update.up.shape();
  if (down.size() < 2 || up.size() != down.size() || down[0] < 1 || up[1] != down[0])
    return std::nullopt;
  for (std::size_t i = 2; i < up.size(); ++i)
    if (up[i] != 1) return std::nullopt;
  Shape shape = down;
  shape[0] = up[0];
  if (update.transposed && shape.size() != 2) return std::nullopt;
  if (update.magnitudes &&
      (shape.size() != 2 || static_cast<std::int64_t>(update.magnitudes->numel()) != shape[0]))
    return std::nullopt;
  if (update.transposed) std::swap(shape[0], shape[1]);
  return shape;
}

Result<void> merge_weight(const TensorView& base, const LowRankUpdate& update, ThreadPool& pool,
                          std::span<std::uint8_t> bytes) {
  SAMEBITS_CHECK(shape_of_update(update) == base.shape() && bytes.size() == base.nbytes());
  SAMEBITS_TRY_VOID(check_types(base, update));
  if (base.numel() == 0) return {};
  std::vector<double> factors;
  if (update.magnitudes) factors = row_factors(base, update, pool);
  MergedRows merged(base, update, pool);
  const DType type =
      update.magnitudes ? wider(merged.type(), update.magnitudes->dtype()) : merged.type();
  const std::uint64_t size = itemsize(base.dtype());
  std::atomic<bool> is_number{true};
  merged.visit_all([&](std::uint64_t i, std::span<double> row) {
    for (std::size_t j = 0; !factors.empty() && j < row.size(); ++j)
      row[j] *= factors[update.transposed ? j : i];
    if (!factors.empty()) round_all(type, row);
    if (std::ranges::any_of(row, [](double number) { return std::isnan(number); }))
      is_number = false;
    round_all(base.dtype(), row);
    std::uint8_t* at = bytes.data() + i * row.size() * size;
    for (std::size_t j = 0; j < row.size(); ++j) put_number(base.dtype(), row[j], at + j * size);
  });
  if (is_number) return {};
  return fail({.code = ErrorCode::unsupported,
               .what = "merged it would hold NaN",
               .hint = "Is the adapter sound, and made for this base?"});
}

}  // namespace samebits
