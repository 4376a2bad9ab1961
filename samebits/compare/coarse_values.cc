#include "samebits/compare/coarse_values.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "samebits/compare/number_block.h"
#include "samebits/compare/rounding.h"

namespace samebits {
namespace {

constexpr std::uint64_t kFewestShown = 32;      // elements that show a grid
constexpr std::uint64_t kFirstElements = 4096;  // elements that are looked at first
constexpr std::uint64_t kReadAtOnce = 1 << 16;  // elements that are read at once

using Reals = std::span<const double>;

/// Calls fits(fine, coarse) for all blocks; false at the first that does not. `size` elements stand
/// in a block, or all that one read takes where it is 0.
template <class Fits>
bool all_blocks(const TensorView& fine, const TensorView& coarse, std::uint64_t count,
                std::uint64_t size, Fits fits) {
  const std::uint64_t each =
      size == 0 ? kReadAtOnce : std::max<std::uint64_t>(1, kReadAtOnce / size) * size;
  NumberBlock a;
  NumberBlock b;
  for (std::uint64_t first = 0; first < count; first += each) {
    const std::uint64_t taken = std::min(each, count - first);
    a.load(fine, first, taken);
    b.load(coarse, first, taken);
    const std::uint64_t step = size == 0 ? taken : size;
    for (std::uint64_t at = 0; at < taken; at += step) {
      const std::uint64_t length = std::min(step, taken - at);
      if (!fits(std::as_const(a).numbers().subspan(at, length),
                std::as_const(b).numbers().subspan(at, length)))
        return false;
    }
  }
  return true;
}

/// The first elements, then all.
template <class Fits>
bool whole_tensor(const TensorView& fine, const TensorView& coarse, std::uint64_t size, Fits fits) {
  const std::uint64_t blocks =
      size == 0 ? kFirstElements : std::max<std::uint64_t>(1, kFirstElements / size) * size;
  return all_blocks(fine, coarse, std::min(blocks, fine.numel()), size, fits) &&
         all_blocks(fine, coarse, fine.numel(), size, fits);
}

template <class Fits>
bool each_pair(Reals fine, Reals coarse, Fits fits) {
  for (std::size_t i = 0; i < fine.size(); ++i)
    if (!fits(fine[i], coarse[i])) return false;
  return true;
}

// Fewer bits of float32.

constexpr unsigned kMantissa = 23;

std::uint32_t float_bits(double value) {
  return std::bit_cast<std::uint32_t>(static_cast<float>(value));
}

std::uint32_t kept_bits(std::uint32_t bits, unsigned dropped, bool cut) {
  const std::uint32_t mask = ~((1U << dropped) - 1);
  if (cut) return bits & mask;
  return (bits + (1U << (dropped - 1)) - 1 + ((bits >> dropped) & 1)) & mask;
}

/// What the first elements of the coarse side show.
struct FirstElements {
  std::vector<double> numbers;
  std::size_t distinct = 0;  // values
  unsigned unused_bits = 0;  // at the end of all of them, as float32
};

FirstElements first_elements(const TensorView& view) {
  NumberBlock block;
  block.load(view, 0, std::min(kFirstElements, view.numel()));
  const Reals numbers = std::as_const(block).numbers();
  std::uint32_t used = 0;
  for (const double each : numbers) used |= float_bits(each);
  std::vector<double> values(numbers.begin(), numbers.end());
  std::ranges::sort(values);
  const auto distinct = std::ranges::unique(values).begin() - values.begin();
  return {.numbers = {numbers.begin(), numbers.end()},
          .distinct = static_cast<std::size_t>(distinct),
          .unused_bits = std::min(static_cast<unsigned>(std::countr_zero(used)), kMantissa)};
}

bool has_fewer_bits(const TensorView& fine, const TensorView& coarse, unsigned dropped, bool cut) {
  if (fine.dtype() != DType::float32 || coarse.dtype() == DType::float64) return false;
  return whole_tensor(fine, coarse, 0, [&](Reals a, Reals b) {
    return each_pair(a, b, [&](double x, double y) {
      return std::isfinite(x) && kept_bits(float_bits(x), dropped, cut) == float_bits(y);
    });
  });
}

std::optional<CoarseGrid> fewer_bits(const TensorView& fine, const TensorView& coarse,
                                     const FirstElements& first) {
  const unsigned dropped = first.unused_bits;
  if (dropped < 2) return std::nullopt;
  for (const bool cut : {false, true}) {
    if (has_fewer_bits(fine, coarse, dropped, cut))
      return CoarseGrid{
          .kind = CoarseGrid::Kind::mantissa, .number = kMantissa - dropped, .cut = cut};
  }
  return std::nullopt;
}

// Two roundings.

/// The other 16-bit type, by way of which numbers of this one may have gone.
std::optional<DType> other_half(DType type) {
  if (type == DType::bfloat16) return DType::float16;
  if (type == DType::float16) return DType::bfloat16;
  return std::nullopt;
}

/// To `first` and then to the other type, in which the coarse side is stored, or wider.
bool is_rounded_twice(const TensorView& fine, const TensorView& coarse, DType first) {
  const DType then = *other_half(first);
  const bool may_hold = coarse.dtype() == then || coarse.dtype() == DType::float32;
  if (!may_hold || itemsize(fine.dtype()) < 4) return false;
  return whole_tensor(fine, coarse, 0, [&](Reals a, Reals b) {
    std::vector<double> rounded(a.begin(), a.end());
    round_all(first, rounded);
    round_all(then, rounded);
    return each_pair(rounded, b, [](double x, double y) { return std::isfinite(x) && x == y; });
  });
}

/// By how much a number of the type may lie off what it was rounded from.
double half_step(DType type, double value) {
  const double least = type == DType::float16 ? 0x1p-25 : 0;  // among subnormal numbers
  return std::max(std::fabs(value) * half_spacing(type), least);
}

bool are_of_one_number(const TensorView& fine, const TensorView& coarse) {
  if (other_half(coarse.dtype()) != fine.dtype()) return false;
  return whole_tensor(fine, coarse, 0, [&](Reals a, Reals b) {
    return each_pair(a, b, [&](double x, double y) {
      return std::fabs(x - y) <= half_step(fine.dtype(), x) + half_step(coarse.dtype(), y);
    });
  });
}

std::optional<CoarseGrid> two_roundings(const TensorView& fine, const TensorView& coarse,
                                        const FirstElements&) {
  for (const DType first : {DType::float16, DType::bfloat16})
    if (is_rounded_twice(fine, coarse, first))
      return CoarseGrid{.kind = CoarseGrid::Kind::twice, .by_way_of = first};
  if (are_of_one_number(fine, coarse)) return CoarseGrid{.kind = CoarseGrid::Kind::apart};
  return std::nullopt;
}

// Decimals.

double rounding_of(const TensorView& view) {
  return view.dtype() == DType::float64 ? 0x1p-52 : 0x1p-23;
}

bool has_decimals(const TensorView& fine, const TensorView& coarse, unsigned digits) {
  const double rounding = rounding_of(coarse);
  const double scale = std::pow(10.0, digits);
  return whole_tensor(fine, coarse, 0, [&](Reals a, Reals b) {
    return each_pair(a, b, [&](double x, double y) {
      const double unit = std::fabs(y) * rounding;
      return std::fabs(std::nearbyint(y * scale) / scale - y) <= unit &&
             std::fabs(x - y) <= 0.5 / scale * (1 + 1e-5) + unit;
    });
  });
}

/// True where most of the first elements would hardly have so few digits by chance.
bool shows_decimals(const TensorView& coarse, const FirstElements& first, unsigned digits) {
  const double rounding = rounding_of(coarse) * std::pow(10.0, digits);
  const auto telling = std::ranges::count_if(
      first.numbers, [&](double each) { return std::fabs(each) * rounding < 1.0 / 64; });
  return static_cast<std::size_t>(telling) * 2 > first.numbers.size();
}

std::optional<CoarseGrid> decimals(const TensorView& fine, const TensorView& coarse,
                                   const FirstElements& first) {
  constexpr unsigned kMost = 7;
  if (itemsize(coarse.dtype()) < 4) return std::nullopt;
  for (unsigned digits = 1; digits <= kMost; ++digits) {
    if (shows_decimals(coarse, first, digits) && has_decimals(fine, coarse, digits))
      return CoarseGrid{.kind = CoarseGrid::Kind::decimals, .number = digits};
  }
  return std::nullopt;
}

// Levels: what a quantization knows, times a scale.

struct Levels {
  std::string name;
  std::vector<double> points;  // ascending
  /// Which of the points the outermost element may be on: the range where `of_range`, else the
  /// largest size. Codes have one number more on one side, so that blocks differ in this.
  std::vector<double> tops;
  bool of_range = false;
};

std::vector<double> whole_numbers(int first, int last) {
  std::vector<double> numbers;
  for (int each = first; each <= last; ++each) numbers.push_back(each);
  return numbers;
}

Levels integer_levels(int bits, bool of_range) {
  const int half = 1 << (bits - 1);
  const int most = 2 * half - 1;
  if (of_range)
    return {
        fmt::format("{}-bit levels", bits), whole_numbers(0, most), {most - 0.0, most - 1.0}, true};
  return {fmt::format("{}-bit levels", bits), whole_numbers(-half, half), {half - 1.0, half - 0.0}};
}

/// The numbers of float8_e4m3fn.
Levels float8_levels() {
  Levels levels{.name = "float8_e4m3fn levels", .tops = {448}};
  for (const double number : code_table(DType::float8_e4m3fn)->numbers)
    if (!std::isnan(number)) levels.points.push_back(number);
  std::ranges::sort(levels.points);
  const auto repeated = std::ranges::unique(levels.points);  // the two zeros
  levels.points.erase(repeated.begin(), repeated.end());
  return levels;
}

const std::vector<Levels>& all_levels() {
  static const std::vector<Levels> levels = {
      {"nf4 levels",
       {-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
        -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
        0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
        0.7229568362236023, 1.0},
       {1.0}},
      {"fp4 levels", {-192, -128, -96, -64, -48, -32, -1, 0, 1, 32, 48, 64, 96, 128, 192}, {192}},
      integer_levels(4, false),
      integer_levels(4, true),
      integer_levels(8, false),
      integer_levels(8, true),
      float8_levels(),
  };
  return levels;
}

/// What elements that share a scale are measured by.
struct Extent {
  double least = std::numeric_limits<double>::infinity();
  double most = -std::numeric_limits<double>::infinity();
  void add(Reals numbers) {
    for (const double each : numbers) {
      least = std::min(least, each);
      most = std::max(most, each);
    }
  }
};

/// The point on which y lies, where x is nearer to it than to the next. All in units of the points;
/// y may be off by `rounding` of itself.
std::optional<std::size_t> point_under(const std::vector<double>& points, double x, double y,
                                       double rounding) {
  constexpr double kOff = 2e-3;      // of the distance to the next point: products of floats
  constexpr double kNearest = 0.58;  // likewise; scales may have been rounded after the codes
  const auto above = std::ranges::lower_bound(points, y);
  auto at = above == points.end() ? above - 1 : above;
  if (at != points.begin() && y - *(at - 1) < *at - y) --at;
  const bool is_last = at + 1 == points.end();
  const bool is_first = at == points.begin();
  const double lower = is_first ? at[1] - at[0] : at[0] - at[-1];
  const double upper = is_last ? lower : at[1] - at[0];
  const double off = rounding * std::fabs(y);
  if (std::fabs(y - *at) > kOff * std::min(lower, upper) + off) return std::nullopt;
  if (x - y > kNearest * upper + off || y - x > kNearest * lower + off) return std::nullopt;
  return static_cast<std::size_t>(at - points.begin());
}

/// Whether the elements of one scale lie on the levels, each the nearest to that of `fine`. One
/// code is one number: weights of a norm, all near 1, lie near one level and are no codes.
bool on_levels(const Levels& levels, const Extent& extent, double rounding, Reals fine,
               Reals coarse) {
  const double size = std::max(std::fabs(extent.least), std::fabs(extent.most));
  const double range = levels.of_range ? extent.most - extent.least : size;
  const double origin = levels.of_range ? extent.least : 0;
  if (!std::isfinite(range) || !std::isfinite(origin)) return false;
  if (range == 0) return std::ranges::equal(fine, coarse);
  return std::ranges::any_of(levels.tops, [&](double top) {
    const double scale = range / top;
    std::vector<std::optional<double>> numbers(levels.points.size());
    return each_pair(fine, coarse, [&](double x, double y) {
      // What lies beyond the last code is cut off at it, by at most one step.
      const bool is_cut = (y == extent.least && x < y) || (y == extent.most && x > y);
      const double kept = is_cut && std::fabs(x - y) <= scale * 1.01 ? y : x;
      const auto point =
          point_under(levels.points, (kept - origin) / scale, (y - origin) / scale, rounding);
      if (!point) return false;
      if (!numbers[*point]) numbers[*point] = y;
      return *numbers[*point] == y;
    });
  });
}

/// By how much of themselves products in the type that the numbers fit are off, with the scale's.
double rounding_of_products(const FirstElements& first) {
  return first.unused_bits >= 16 ? 0x1p-8 : first.unused_bits >= 13 ? 0x1p-11 : 0x1p-22;
}

std::optional<CoarseGrid> levels_of_tensor(const TensorView& fine, const TensorView& coarse,
                                           const FirstElements& first) {
  if (first.distinct > 256 || first.distinct * 8 > first.numbers.size() * 7) return std::nullopt;
  Extent extent;
  all_blocks(fine, coarse, fine.numel(), 0, [&](Reals, Reals b) {
    extent.add(b);
    return true;
  });
  const double rounding = rounding_of_products(first);
  for (const Levels& levels : all_levels()) {
    if (whole_tensor(fine, coarse, 0,
                     [&](Reals a, Reals b) { return on_levels(levels, extent, rounding, a, b); }))
      return CoarseGrid{.kind = CoarseGrid::Kind::levels, .levels = levels.name};
  }
  return std::nullopt;
}

std::optional<CoarseGrid> levels_of_blocks(const TensorView& fine, const TensorView& coarse,
                                           const FirstElements& first) {
  constexpr std::uint64_t kLeastBlock = 16;
  const double rounding = rounding_of_products(first);
  const std::uint64_t row = fine.shape().size() < 2 ? 0 : fine.numel() / fine.shape()[0];
  for (const std::uint64_t size :
       {row, std::uint64_t{256}, std::uint64_t{128}, std::uint64_t{64}, std::uint64_t{32}}) {
    if (size < kLeastBlock || size >= fine.numel() || size > kReadAtOnce) continue;
    for (const Levels& levels : all_levels()) {
      const bool fits = whole_tensor(fine, coarse, size, [&](Reals a, Reals b) {
        Extent extent;
        extent.add(b);
        return on_levels(levels, extent, rounding, a, b);
      });
      if (fits)
        return CoarseGrid{.kind = CoarseGrid::Kind::levels,
                          .levels = levels.name,
                          .block = size == row ? 0 : size,
                          .by_row = size == row};
    }
  }
  return std::nullopt;
}

bool can_compare(const TensorView& fine, const TensorView& coarse) {
  const auto has_floats = [](DType type) {
    return info(type).family == DTypeFamily::floating && has_element_values(type) &&
           itemsize(type) >= 2;
  };
  return fine.shape() == coarse.shape() && has_floats(fine.dtype()) && has_floats(coarse.dtype());
}

}  // namespace

std::string grid_text(const CoarseGrid& grid) {
  switch (grid.kind) {
    case CoarseGrid::Kind::mantissa:
      return fmt::format("{} bits after the leading one{}", grid.number,
                         grid.number == 10  ? ", as TF32 has"
                         : grid.number == 7 ? ", as bfloat16 has"
                                            : "");
    case CoarseGrid::Kind::decimals:
      return fmt::format("{} decimal{}", grid.number, grid.number == 1 ? "" : "s");
    case CoarseGrid::Kind::twice:
      return fmt::format("{} and then to {}", info(grid.by_way_of).torch,
                         info(*other_half(grid.by_way_of)).torch);
    case CoarseGrid::Kind::apart: return "float16 on one side, and to bfloat16 on the other";
    case CoarseGrid::Kind::levels: break;
  }
  return fmt::format("{}, a scale for {}", grid.levels,
                     grid.by_row       ? "each row"
                     : grid.block == 0 ? "each tensor"
                                       : fmt::format("every {} elements", grid.block));
}

std::optional<CoarseGrid> coarse_grid(const TensorView& fine, const TensorView& coarse) {
  constexpr std::size_t kFewestValues = 8;  // that are told from initial ones and zeros
  if (!can_compare(fine, coarse) || fine.numel() < kFewestShown) return std::nullopt;
  const FirstElements first = first_elements(coarse);
  if (first.distinct < kFewestValues) return std::nullopt;
  for (const auto find : {fewer_bits, two_roundings, decimals})
    if (auto grid = find(fine, coarse, first)) return grid;
  if (fine.shape().size() < 2) return std::nullopt;
  for (const auto find : {levels_of_tensor, levels_of_blocks})
    if (auto grid = find(fine, coarse, first)) return grid;
  return std::nullopt;
}

bool follows_grid(const TensorView& fine, const TensorView& coarse, const CoarseGrid& grid) {
  if (!can_compare(fine, coarse)) return false;
  switch (grid.kind) {
    case CoarseGrid::Kind::mantissa:
      return has_fewer_bits(fine, coarse, kMantissa - grid.number, grid.cut);
    case CoarseGrid::Kind::decimals: return has_decimals(fine, coarse, grid.number);
    case CoarseGrid::Kind::twice: return is_rounded_twice(fine, coarse, grid.by_way_of);
    case CoarseGrid::Kind::apart: return are_of_one_number(fine, coarse);
    case CoarseGrid::Kind::levels: break;
  }
  return false;
}

}  // namespace samebits
