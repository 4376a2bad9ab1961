#include "samebits/compare/permuted_rows.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "samebits/tensor/digest.h"

namespace samebits {
namespace {

constexpr std::uint64_t kGather = 1 << 18;  // elements that are brought into order at a time

using Row = std::pair<Digest128, std::size_t>;  // and where it stands

std::vector<Row> sorted_rows(const TensorView& view) {
  const auto rows = static_cast<std::uint64_t>(view.shape()[0]);
  const std::uint64_t size = view.numel() / rows;
  const std::uint64_t step = std::max<std::uint64_t>(1, kGather / std::max<std::uint64_t>(1, size));
  std::vector<Row> sorted;
  sorted.reserve(rows);
  std::vector<std::uint8_t> buffer;
  for (std::uint64_t row = 0; row < rows; row += step) {
    const std::uint64_t count = std::min(step, rows - row);
    const Bytes bytes = view.row_major_range(row * size, count * size, buffer);
    const std::uint64_t each = bytes.size() / count;
    for (std::uint64_t i = 0; i < count; ++i)
      sorted.emplace_back(fast_digest(bytes.subspan(i * each, each)), row + i);
  }
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

// The row of `a` that stands in each row of `b`, or nothing.
std::optional<std::vector<std::size_t>> order_of_rows(const TensorView& a, const TensorView& b) {
  const std::vector<Row> x = sorted_rows(a);
  const std::vector<Row> y = sorted_rows(b);
  std::vector<std::size_t> order(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i].first != y[i].first) return std::nullopt;
    order[y[i].second] = x[i].second;
  }
  return order;
}

// The largest number of neighbouring rows that stay together wherever they went.
std::size_t block_of(const std::vector<std::size_t>& order) {
  for (std::size_t size = order.size() / 2; size > 1; --size) {
    if (order.size() % size != 0) continue;
    bool whole = true;
    for (std::size_t i = 0; i < order.size() && whole; ++i) {
      whole = i % size == 0 ? order[i] % size == 0 : order[i] == order[i - 1] + 1;
    }
    if (whole) return size;
  }
  return 1;
}

std::string pattern_of(const TensorView& a, const TensorView& b, const char* what) {
  const auto order = order_of_rows(a, b);
  if (!order) return "";
  const std::size_t block = block_of(*order);
  return block == 1 ? fmt::format("{} permuted", what)
                    : fmt::format("blocks of {} {} permuted", block, what);
}

}  // namespace

std::string permutation_pattern(const TensorView& a, const TensorView& b, double norm_ratio) {
  const bool comparable = a.dtype() == b.dtype() && a.shape() == b.shape() && a.numel() > 1 &&
                          std::fabs(norm_ratio - 1) < 1e-9;
  if (!comparable) return "";
  if (a.shape()[0] > 1) {
    std::string rows = pattern_of(a, b, "rows");
    if (!rows.empty()) return rows;
  }
  if (a.shape().size() < 2 || a.shape()[1] < 2) return "";
  return pattern_of(a.transposed(0, 1), b.transposed(0, 1), "columns");
}

}  // namespace samebits
