#include "samebits/convert/merge_layer.h"

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

/// B A, [out, in].
Floats product(const LowRankUpdate& update, ThreadPool& pool) {
  const std::uint64_t rank = size_at(update.down.shape(), 0), rows = size_at(update.up.shape(), 0);
  const std::uint64_t columns = update.down.numel() / rank;
  const Floats down = floats_of(update.down), up = floats_of(update.up);
  PackedMatrix packed(columns, rank);
  pack_tiles_of_columns(down.data(), rank, columns, columns, packed.tile(0));
  const Floats no_bias(columns);
  Floats result(rows * columns);
  linear({*default_kernels().kernels, pool}, up.data(), rank, rows, packed, no_bias.data(),
         Epilogue::bias, result.data(), columns);
  return result;
}

/// The type in which torch adds numbers of two types.
DType wider(DType a, DType b) {
  if (a == b) return a;
  return a == DType::float64 || b == DType::float64 ? DType::float64 : DType::float32;
}

/// As the result of an operation on numbers of that type: torch computes half types in float32.
double rounded(DType type, double value) {
  return type == DType::float64 ? value : round_to(type, static_cast<float>(value));
}

/// Base plus update, element by element, before the base's type is restored.
class MergedRows {
 public:
  MergedRows(const TensorView& base, const LowRankUpdate& update, const Floats& product)
      : update_(update),
        product_(product),
        columns_(base.numel() / size_at(base.shape(), 0)),
        rank_columns_(product.size() / size_at(update.up.shape(), 0)),
        factor_type_(update.up.dtype()),
        type_(wider(base.dtype(), factor_type_)),
        scale_(static_cast<float>(update.scale)) {}

  std::uint64_t columns() const { return columns_; }
  DType type() const { return type_; }

  /// Adds the update to row i of the base.
  void add(std::uint64_t i, std::span<double> row) const {
    for (std::uint64_t j = 0; j < columns_; ++j) {
      const float sum =
          update_.transposed ? product_[j * rank_columns_ + i] : product_[i * rank_columns_ + j];
      row[j] = rounded(type_, row[j] + rounded(factor_type_, double{sum} * double{scale_}));
    }
  }

 private:
  const LowRankUpdate& update_;
  const Floats& product_;
  std::uint64_t columns_, rank_columns_;
  DType factor_type_, type_;
  float scale_;
};

/// Visits rows of the base with their update added.
template <class Visit>
void for_each_row(const TensorView& base, const MergedRows& merged, ThreadPool& pool,
                  const Visit& visit) {
  pool.run(size_at(base.shape(), 0), [&](std::size_t i) {
    NumberBlock block;
    block.load(base, i * merged.columns(), merged.columns());
    merged.add(i, block.numbers());
    visit(i, block.numbers());
  });
}

/// DoRA: what the rows of [out, in] are multiplied with.
std::vector<double> row_factors(const TensorView& base, const MergedRows& merged,
                                const LowRankUpdate& update, ThreadPool& pool) {
  const Floats magnitudes = floats_of(*update.magnitudes);
  std::vector<double> squares(magnitudes.size());
  if (update.transposed) {  // a column at a time would read the base as often as it has columns
    ThreadPool alone(1);
    for_each_row(base, merged, alone, [&](std::size_t, std::span<double> row) {
      for (std::size_t j = 0; j < row.size(); ++j) squares[j] += row[j] * row[j];
    });
  } else {
    for_each_row(base, merged, pool, [&](std::size_t i, std::span<double> row) {
      for (const double number : row) squares[i] += number * number;
    });
  }
  const DType type = wider(update.magnitudes->dtype(), merged.type());
  for (std::size_t i = 0; i < squares.size(); ++i)
    squares[i] = rounded(type, magnitudes[i] / rounded(merged.type(), std::sqrt(squares[i])));
  return squares;
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

Result<std::vector<std::uint8_t>> merged_weight(const TensorView& base, const LowRankUpdate& update,
                                                ThreadPool& pool) {
  SAMEBITS_CHECK(shape_of_update(update) == base.shape());
  SAMEBITS_TRY_VOID(check_types(base, update));
  const std::uint64_t size = itemsize(base.dtype());
  std::vector<std::uint8_t> bytes(base.numel() * size);
  if (base.numel() == 0) return bytes;
  const Floats update_rows = product(update, pool);
  const MergedRows merged(base, update, update_rows);
  std::vector<double> factors;
  DType type = merged.type();
  if (update.magnitudes) {
    factors = row_factors(base, merged, update, pool);
    type = wider(type, update.magnitudes->dtype());
  }
  std::atomic<bool> is_number{true};
  for_each_row(base, merged, pool, [&](std::size_t i, std::span<double> row) {
    std::uint8_t* at = bytes.data() + i * merged.columns() * size;
    for (std::size_t j = 0; j < row.size(); ++j, at += size) {
      const double factor = factors.empty() ? 1 : factors[update.transposed ? j : i];
      const double number = factors.empty() ? row[j] : rounded(type, factor * row[j]);
      if (std::isnan(number)) is_number = false;
      put_number(base.dtype(), rounded(base.dtype(), number), at);
    }
  });
  if (!is_number)
    return fail({.code = ErrorCode::unsupported,
                 .what = "merged it would hold NaN",
                 .hint = "Is the adapter sound, and made for this base?"});
  return bytes;
}

}  // namespace samebits
