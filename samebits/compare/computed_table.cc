#include "samebits/compare/computed_table.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <fmt/format.h>

#include "samebits/compare/number_block.h"

namespace samebits {
namespace {

constexpr std::uint64_t kLargestTable = std::uint64_t{1} << 26;  // elements
constexpr double kOfAPower = 1e-5;                               // relative, of float32
constexpr double kOfASine = 2e-6;                                // absolute, of float32

using Numbers = std::vector<double>;

bool is_named(std::string_view name, std::string_view end) {
  if (!name.ends_with(end)) return false;
  const std::string_view front = name.substr(0, name.size() - end.size());
  return front.empty() || front.back() == '.';
}

Numbers numbers_of(const TensorView& view) {
  Numbers numbers;
  numbers.reserve(view.numel());
  for_each_number(view, [&](double number) { numbers.push_back(number); });
  return numbers;
}

std::uint64_t length_at(const TensorView& view, std::size_t from_the_end) {
  const Shape& shape = view.shape();
  return shape.size() < from_the_end
             ? 1
             : static_cast<std::uint64_t>(shape[shape.size() - from_the_end]);
}

/// 0, 1, 2, ... in every row.
std::optional<ComputedTable> counted_places(const TensorView& view) {
  const std::uint64_t length = length_at(view, 1);
  std::uint64_t i = 0;
  bool counts = true;
  for_each_number(view, [&](double n) { counts &= n == static_cast<double>(i++ % length); });
  if (!counts) return std::nullopt;
  return ComputedTable{"0, 1, 2, ..."};
}

std::optional<ComputedTable> only_zeros(const TensorView& view) {
  bool zeros = true;
  for_each_number(view, [&](double number) { zeros &= number == 0; });
  return zeros ? std::optional(ComputedTable{"zeros"}) : std::nullopt;
}

/// The row of the table of biases for two tokens of a window: by how far apart they are.
bool is_window(const Numbers& found, std::uint64_t size, std::uint64_t high, std::uint64_t wide,
               bool class_token) {
  const std::uint64_t first = class_token ? 1 : 0;
  const double rows = static_cast<double>((2 * high - 1) * (2 * wide - 1));
  for (std::uint64_t i = 0; i < size; ++i) {
    for (std::uint64_t j = 0; j < size; ++j) {
      const int beside = i < first ? (j < first ? 2 : 0) : 1;
      double place = rows + beside;
      if (i >= first && j >= first) {
        const std::uint64_t x = i - first;
        const std::uint64_t y = j - first;
        const std::uint64_t down = x / wide + high - 1 - y / wide;
        const std::uint64_t right = x % wide + wide - 1 - y % wide;
        place = static_cast<double>(down * (2 * wide - 1) + right);
      }
      if (found[i * size + j] != place) return false;
    }
  }
  return true;
}

std::optional<ComputedTable> window_places(const TensorView& view) {
  const std::uint64_t size = length_at(view, 1);
  if (view.shape().size() != 2 || size == 0 || length_at(view, 2) != size) return std::nullopt;
  const Numbers found = numbers_of(view);
  for (const bool class_token : {false, true}) {
    const std::uint64_t tokens = size - (class_token ? 1 : 0);
    for (std::uint64_t high = 1; high <= tokens; ++high) {
      if (tokens % high != 0 || !is_window(found, size, high, tokens / high, class_token)) continue;
      return ComputedTable{
          fmt::format("how far apart the patches of a window of {} x {} are", high, tokens / high)};
    }
  }
  return std::nullopt;
}

/// Ones where a token sees another: itself and those before it, or the nearest of them.
std::optional<ComputedTable> causal_mask(const TensorView& view) {
  const std::uint64_t size = length_at(view, 1);
  if (view.shape().size() != 4 || view.numel() != size * size || length_at(view, 2) != size)
    return std::nullopt;
  const Numbers found = numbers_of(view);
  std::uint64_t seen = 0;  // of the last row
  for (std::uint64_t j = 0; j < size; ++j) seen += found[(size - 1) * size + j] != 0 ? 1 : 0;
  for (std::uint64_t i = 0; i < size; ++i) {
    for (std::uint64_t j = 0; j < size; ++j) {
      const bool sees = j <= i && i - j < seen;
      if (found[i * size + j] != (sees ? 1 : 0)) return std::nullopt;
    }
  }
  return ComputedTable{"which tokens each one sees"};
}

std::optional<ComputedTable> masked_value(const TensorView& view) {
  if (view.numel() != 1) return std::nullopt;
  const double value = numbers_of(view)[0];
  if (value != -1e9 && value != -1e4) return std::nullopt;
  return ComputedTable{"what stands for a token that is not seen"};
}

/// base^(-i/n), as rotary embeddings take it where nothing scales them.
std::optional<ComputedTable> frequencies(const TensorView& view) {
  if (view.dtype() != DType::float32 || view.shape().size() != 1 || view.numel() < 2)
    return std::nullopt;
  const Numbers found = numbers_of(view);
  const auto count = static_cast<double>(found.size());
  if (found[0] != 1 || !(found[1] > 0) || found[1] >= 1) return std::nullopt;
  // The last one tells the base best; people choose round ones.
  double base = std::pow(found.back(), -count / (count - 1));
  if (!std::isfinite(base)) return std::nullopt;
  if (std::abs(base - std::round(base)) < 1e-5 * base) base = std::round(base);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double expected = std::pow(base, -static_cast<double>(i) / count);
    if (!(std::abs(found[i] - expected) <= kOfAPower * expected)) return std::nullopt;
  }
  return ComputedTable{fmt::format("{:.9g}^(-i/{})", base, found.size()), base};
}

/// Sines in the first half of each row and cosines in the second, of `last` + 1 frequencies from 1
/// down to 1/10000. A row of zeros stands for padding.
bool are_sines(const Numbers& found, std::uint64_t width, double last) {
  const std::uint64_t half = width / 2;
  for (std::uint64_t row = 0; row * width < found.size(); ++row) {
    const double* at = &found[row * width];
    if (std::all_of(at, at + width, [](double number) { return number == 0; })) continue;
    const auto place = static_cast<double>(row);
    for (std::uint64_t k = 0; k < half; ++k) {
      const double angle = place * std::pow(10000.0, -static_cast<double>(k) / last);
      // Libraries take the angle in float32, whose error grows with it.
      const double error = kOfASine + place * 2e-7;
      if (!(std::abs(at[k] - std::sin(angle)) <= error) ||
          !(std::abs(at[half + k] - std::cos(angle)) <= error))
        return false;
    }
  }
  return true;
}

std::optional<ComputedTable> sines(const TensorView& view) {
  const std::uint64_t width = length_at(view, 1);
  if (view.shape().size() != 2 || width < 4 || width % 2 != 0 || view.numel() < 2 * width)
    return std::nullopt;
  const Numbers found = numbers_of(view);
  const auto half = static_cast<double>(width) / 2;
  // Marian's frequencies end short of 1/10000, fairseq's at it.
  if (!are_sines(found, width, half) && !are_sines(found, width, half - 1)) return std::nullopt;
  return ComputedTable{"sines and cosines of positions"};
}

}  // namespace

std::optional<ComputedTable> computed_table(std::string_view name, const TensorView& view) {
  if (!has_element_values(view.dtype()) || view.numel() == 0 || view.numel() > kLargestTable)
    return std::nullopt;
  if (is_named(name, "position_ids")) return counted_places(view);
  if (is_named(name, "token_type_ids")) return only_zeros(view);
  if (is_named(name, "relative_position_index")) return window_places(view);
  if (is_named(name, "inv_freq") || is_named(name, "original_inv_freq")) return frequencies(view);
  if (is_named(name, "masked_bias")) return masked_value(view);
  if (is_named(name, "attn.bias") || is_named(name, "attention.bias")) return causal_mask(view);
  if (is_named(name, "embed_positions.weight") || is_named(name, "embed_positions.weights"))
    return sines(view);
  return std::nullopt;
}

}  // namespace samebits
