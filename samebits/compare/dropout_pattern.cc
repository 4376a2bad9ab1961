#include "samebits/compare/dropout_pattern.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "samebits/compare/number_block.h"

namespace samebits {
namespace {

/// Of a point's largest number: by how much two float32 passes differ there, and two in `type`.
double rounding_of(DType type) {
  switch (type) {
    case DType::bfloat16: return 0x1p-5;
    case DType::float16: return 0x1p-8;
    default: return 1e-5;
  }
}

/// Whether `count` of `total` is what a chance of `rate` gives, within five standard deviations.
bool is_likely(double count, double total, double rate) {
  return std::fabs(count - rate * total) <= 1 + 5 * std::sqrt(total * rate * (1 - rate));
}

/// Calls visit(index, x, y) for every element of both, as numbers; false where it says false.
template <class Visit>
bool every(const ValuePair& values, Visit visit) {
  constexpr std::uint64_t kBlock = 1 << 16;
  NumberBlock a;
  NumberBlock b;
  for (std::uint64_t first = 0; first < values.a.numel(); first += kBlock) {
    const std::uint64_t count = std::min(kBlock, values.a.numel() - first);
    a.load(values.a, first, count);
    b.load(values.b, first, count);
    for (std::uint64_t i = 0; i < count; ++i) {
      if (!visit(first + i, a.numbers()[i], b.numbers()[i])) return false;
    }
  }
  return true;
}

/// False where no element is 0 on one side alone, as in most pairs; of other types than float32
/// that is not looked at.
bool may_differ_in_zeros(const ValuePair& values) {
  if (std::endian::native != std::endian::little || values.a.dtype() != DType::float32 ||
      values.b.dtype() != DType::float32 || !values.a.is_plain() || !values.b.is_plain())
    return true;
  const std::uint8_t* a = values.a.plain_bytes().data();
  const std::uint8_t* b = values.b.plain_bytes().data();
  std::uint64_t count = 0;
  for (std::uint64_t i = 0; i < values.a.numel(); ++i) {
    float x = 0;
    float y = 0;
    std::memcpy(&x, a + i * sizeof(float), sizeof(float));
    std::memcpy(&y, b + i * sizeof(float), sizeof(float));
    count += (x == 0) != (y == 0) ? 1 : 0;
  }
  return count > 0;
}

/// Elements of which each was dropped or not, by rows and by columns.
class Draws {
 public:
  explicit Draws(const TensorView& view)
      : columns_(columns_of(view)), in_column_(columns_), in_row_(rows_of(view)) {}

  /// Rows and columns that one would count.
  static std::uint64_t lines(const TensorView& view) { return columns_of(view) + rows_of(view); }

  void add(std::uint64_t index, bool dropped) {
    for (Count* count : {&all_, &in_column_[index % columns_], &in_row_[index / columns_]}) {
      count->total += 1;
      count->dropped += dropped ? 1 : 0;
    }
  }

  double dropped() const { return all_.dropped; }
  double rate() const { return all_.total == 0 ? 0 : all_.dropped / all_.total; }

  /// Pearson's statistic, within six standard deviations of what independent draws give.
  bool are_strewn() const { return is_strewn(in_column_) && is_strewn(in_row_); }

 private:
  struct Count {
    double total = 0, dropped = 0;
  };

  static std::uint64_t columns_of(const TensorView& view) {
    return view.shape().empty() ? 1 : static_cast<std::uint64_t>(view.shape().back());
  }
  static std::uint64_t rows_of(const TensorView& view) {
    return view.numel() == 0 ? 0 : view.numel() / columns_of(view);
  }

  bool is_strewn(const std::vector<Count>& counts) const {
    double statistic = 0;
    double freedom = 0;
    for (const Count& count : counts) {
      if (count.total == 0) continue;
      const double off = count.dropped - count.total * rate();
      statistic += off * off / (count.total * rate() * (1 - rate()));
      freedom += 1;
    }
    return statistic <= freedom + 6 * std::sqrt(2 * freedom) + 10;
  }

  std::size_t columns_;
  Count all_;
  std::vector<Count> in_column_, in_row_;
};

}  // namespace

std::optional<DropoutPattern> dropout_pattern(const ValuePair& values) {
  constexpr double kFewest = 16;    // elements kept, below which the rate is not known well
  constexpr double kLeast = 0.001;  // a smaller rate is the scale's own rounding
  // Rows and columns, of which each takes 48 bytes here; a batch of 1000 images has 200 000.
  constexpr std::uint64_t kMostLines = 1 << 21;
  if (!has_element_values(values.a.dtype()) || !has_element_values(values.b.dtype()))
    return std::nullopt;
  if (Draws::lines(values.a) > kMostLines || !may_differ_in_zeros(values)) return std::nullopt;
  Draws of_a(values.a);  // where b is not 0
  Draws of_b(values.a);  // where a is not 0
  Draws of_both(values.a);
  double kept = 0;  // neither is 0
  double xx = 0;
  double xy = 0;
  double largest = 0;
  double largest_dropped = 0;
  const bool finite = every(values, [&](std::uint64_t i, double x, double y) {
    of_both.add(i, x == 0 && y == 0);
    if (y != 0) of_a.add(i, x == 0);
    if (x != 0) of_b.add(i, y == 0);
    if (x != 0 && y != 0) {
      ++kept;
      xx += x * x;
      xy += x * y;
    } else {
      largest_dropped = std::max({largest_dropped, std::fabs(x), std::fabs(y)});
    }
    largest = std::max({largest, std::fabs(x), std::fabs(y)});
    return std::isfinite(x) && std::isfinite(y);
  });
  if (!finite || kept < kFewest) return std::nullopt;
  const double rounding =
      std::max(rounding_of(values.a.dtype()), rounding_of(values.b.dtype())) * largest;
  if (largest_dropped <= rounding) return std::nullopt;  // none, or zeros of rounding
  const bool both = of_a.dropped() > 0 && of_b.dropped() > 0;
  const double scale = both ? 1 : xy / xx;  // of b against a
  const bool proportional = every(values, [&](std::uint64_t /*i*/, double x, double y) {
    return x == 0 || y == 0 || std::fabs(y - scale * x) <= rounding;
  });
  if (!proportional) return std::nullopt;
  if (both) {
    const bool strewn = of_a.are_strewn() && of_b.are_strewn();
    if (!strewn || !is_likely(of_a.dropped(), of_a.dropped() + kept, of_b.rate()))
      return std::nullopt;
    const double all = static_cast<double>(values.a.numel());
    return DropoutPattern{(of_a.dropped() + of_both.dropped()) / all,
                          (of_b.dropped() + of_both.dropped()) / all};
  }
  const Draws& draws = of_b.dropped() > 0 ? of_b : of_a;
  const double rate = of_b.dropped() > 0 ? 1 - 1 / scale : 1 - scale;
  if (!(rate >= kLeast && rate < 1) || !draws.are_strewn() ||
      !is_likely(draws.dropped(), draws.dropped() + kept, rate))
    return std::nullopt;
  if (of_both.dropped() > 0 && of_both.are_strewn()) return std::nullopt;
  return &draws == &of_b ? DropoutPattern{0, rate} : DropoutPattern{rate, 0};
}

}  // namespace samebits
