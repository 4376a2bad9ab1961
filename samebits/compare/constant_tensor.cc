#include "samebits/compare/constant_tensor.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace samebits {
namespace {

// Without the dimensions that repeat elements, as torch's expand makes them.
TensorView without_repeats(const TensorView& view) {
  Shape shape = view.shape();
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (view.strides()[d] == 0) shape[d] = 1;
  }
  if (shape == view.shape()) return view;
  auto made = view.over(shape, view.strides(), view.byte_offset() / itemsize(view.dtype()));
  return made ? *std::move(made) : view;
}

}  // namespace

bool is_constant(const TensorView& view) {
  constexpr std::uint64_t kBlock = 1 << 14;
  if (view.numel() == 0) return true;
  if (view.storage().empty()) return false;  // its values are nowhere
  if (view.numel() == 1) return true;
  const TensorView each = without_repeats(view);
  std::vector<std::uint8_t> first_buffer;
  std::vector<std::uint8_t> buffer;
  const Bytes first = each.row_major_range(0, 1, first_buffer);
  // The first block is short: most tensors say at once that they are none.
  std::uint64_t size = 16;
  for (std::uint64_t at = 0; at < each.numel(); at += size, size = kBlock) {
    const Bytes block = each.row_major_range(at, std::min(size, each.numel() - at), buffer);
    for (std::size_t i = 0; i + first.size() <= block.size(); i += first.size()) {
      if (std::memcmp(block.data() + i, first.data(), first.size()) != 0) return false;
    }
  }
  return true;
}

std::optional<double> constant_value(const TensorView& view) {
  const bool floating = is_floating(view.dtype()) && has_element_values(view.dtype());
  if (!floating || view.numel() == 0 || !is_constant(view)) return std::nullopt;
  std::vector<std::uint8_t> buffer;
  return element_as_double(view.dtype(), view.row_major_range(0, 1, buffer).data());
}

bool same_first(const TensorView& a, const TensorView& b) {
  if (a.dtype() != b.dtype() || a.numel() == 0 || b.numel() == 0) return false;
  std::vector<std::uint8_t> buffer_a;
  std::vector<std::uint8_t> buffer_b;
  return std::ranges::equal(a.row_major_range(0, 1, buffer_a), b.row_major_range(0, 1, buffer_b));
}

bool same_but_for_ones(const Shape& a, const Shape& b) {
  Shape x = a;
  Shape y = b;
  std::erase(x, 1);
  std::erase(y, 1);
  return x == y;
}

bool may_be_one_constant(std::string_view name_a, const TensorView& a, std::string_view name_b,
                         const TensorView& b) {
  const auto last_word = [](std::string_view name) {
    return name.substr(name.find_last_of("._") + 1);  // npos + 1 is 0
  };
  return same_first(a, b) && last_word(name_a) == last_word(name_b);
}

}  // namespace samebits
