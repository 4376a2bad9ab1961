#include "samebits/compare/resized.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "samebits/compare/constant_tensor.h"
#include "samebits/compare/equal_bytes.h"

namespace samebits {
namespace {

struct SlicePair {
  TensorView a, b;
};

std::optional<TensorView> part_of(const TensorView& view, const Shape& shape, std::size_t along,
                                  std::int64_t first) {
  if (view.byte_offset() % itemsize(view.dtype()) != 0) return std::nullopt;
  const std::uint64_t offset =
      view.byte_offset() / itemsize(view.dtype()) +
      static_cast<std::uint64_t>(first) * static_cast<std::uint64_t>(view.strides()[along]);
  auto made = view.over(shape, view.strides(), offset);
  return made ? std::optional(*std::move(made)) : std::nullopt;
}

/// Slices [first, first + count) along one dimension, of what both have in the others.
std::optional<SlicePair> slices_at(const TensorView& a, const TensorView& b, std::size_t along,
                                   std::int64_t first, std::int64_t count) {
  Shape shape = a.shape();
  for (std::size_t d = 0; d < shape.size(); ++d) shape[d] = std::min(shape[d], b.shape()[d]);
  shape[along] = count;
  auto x = part_of(a, shape, along, first);
  auto y = part_of(b, shape, along, first);
  if (!x || !y) return std::nullopt;
  return SlicePair{*std::move(x), *std::move(y)};
}

bool are_equal(const std::optional<SlicePair>& pair) {
  return pair && equal_bytes({{&pair->a, &pair->b}}, 1)[0];
}

/// What a slice along this dimension is called.
std::string slice_word(const Shape& shape, std::size_t along) {
  if (shape.size() == 1) return "element";
  if (along == 1 && shape.size() == 4) return "channel";
  // Positions, which have a dimension of 1 in front.
  return std::ranges::all_of(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(along),
                             [](std::int64_t size) { return size == 1; })
             ? "row"
             : "column";
}

}  // namespace

std::string common_part_text(const TensorView& a, const TensorView& b) {
  constexpr std::int64_t kMostSlices = 1 << 16;
  if (a.dtype() != b.dtype() || a.shape().size() != b.shape().size() || a.numel() == 0 ||
      b.numel() == 0 || is_constant(a) || is_constant(b))
    return "";
  std::vector<std::size_t> differing;
  for (std::size_t d = 0; d < a.shape().size(); ++d)
    if (a.shape()[d] != b.shape()[d]) differing.push_back(d);
  if (differing.empty()) return "";
  const std::size_t along = differing[0];
  const std::int64_t common = std::min(a.shape()[along], b.shape()[along]);
  const bool all = are_equal(slices_at(a, b, along, 0, common));
  if (differing.size() > 1) return all ? "what both have of it is equal bit for bit" : "";
  const std::string word = slice_word(a.shape(), along);
  if (all)
    return common == 1 ? fmt::format("the first {} is equal bit for bit", word)
                       : fmt::format("the first {} {}s are equal bit for bit", common, word);
  if (common > kMostSlices) return "";
  std::int64_t equal = 0;
  std::int64_t leading = 0;
  for (std::int64_t i = 0; i < common; ++i) {
    if (!are_equal(slices_at(a, b, along, i, 1))) continue;
    if (equal == i) ++leading;
    ++equal;
  }
  if (equal == 0) return fmt::format("no {} is equal to that of its place", word);
  if (equal == leading)
    return equal == 1 ? fmt::format("only the first {} is equal bit for bit", word)
                      : fmt::format("only the first {} {}s are equal bit for bit", equal, word);
  return fmt::format("of the first {} {}s {} {} equal bit for bit", common, word, equal,
                     equal == 1 ? "is" : "are");
}

}  // namespace samebits
