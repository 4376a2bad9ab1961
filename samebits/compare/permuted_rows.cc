#include "samebits/compare/permuted_rows.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "samebits/base/parallel.h"
#include "samebits/compare/stats_loops.h"
#include "samebits/tensor/digest.h"

namespace samebits {
namespace {

constexpr std::uint64_t kGather = 1 << 18;       // elements that are brought into order at a time
constexpr std::uint64_t kMostRows = 1ull << 24;  // whose places are found; each takes 24 bytes

using Row = std::pair<Digest128, std::size_t>;  // and where it stands

// Sums over all elements that do not depend on their order, of each block at its place.
struct CodeSums {
  std::uint64_t sum = 0, square = 0;
  bool operator==(const CodeSums&) const = default;
};

CodeSums code_sums(const TensorView& view, int threads) {
  const std::uint64_t blocks = (view.numel() + kGather - 1) / kGather;
  std::vector<CodeSums> sums(blocks);
  parallel_for(blocks, threads, [&](std::size_t block) {
    std::vector<std::uint8_t> buffer;
    const std::uint64_t first = block * kGather;
    const std::uint64_t count = std::min(kGather, view.numel() - first);
    const Bytes bytes = view.row_major_range(first, count, buffer);
    stats_loops().code_sums(bytes.data(), count, itemsize(view.dtype()), &sums[block].sum,
                            &sums[block].square);
  });
  CodeSums all;
  for (const CodeSums& each : sums) {
    all.sum += each.sum;
    all.square += each.square;
  }
  return all;
}

// Calls each(row, digest of the row), several rows at a time.
template <class Each>
void for_each_row(const TensorView& view, int threads, Each each) {
  const auto rows = static_cast<std::uint64_t>(view.shape()[0]);
  const std::uint64_t size = view.numel() / rows;
  const std::uint64_t step = std::max<std::uint64_t>(1, kGather / std::max<std::uint64_t>(1, size));
  parallel_for((rows + step - 1) / step, threads, [&](std::size_t part) {
    std::vector<std::uint8_t> buffer;
    const std::uint64_t row = part * step;
    const std::uint64_t count = std::min(step, rows - row);
    const Bytes bytes = view.row_major_range(row * size, count * size, buffer);
    const std::uint64_t length = bytes.size() / count;
    for (std::uint64_t i = 0; i < count; ++i)
      each(row + i, fast_digest(bytes.subspan(i * length, length)));
  });
}

std::vector<Row> sorted_rows(const TensorView& view, int threads) {
  std::vector<Row> sorted(static_cast<std::size_t>(view.shape()[0]));
  for_each_row(view, threads,
               [&](std::uint64_t row, const Digest128& digest) { sorted[row] = {digest, row}; });
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

// Equal where both have the same rows, in whatever order.
std::pair<std::uint64_t, std::uint64_t> sum_of_rows(const TensorView& view, int threads) {
  std::atomic<std::uint64_t> high{0};
  std::atomic<std::uint64_t> low{0};
  for_each_row(view, threads, [&](std::uint64_t, const Digest128& digest) {
    high += digest.high;
    low += digest.low;
  });
  return {high, low};
}

// The row of `a` that stands in each row of `b`, or nothing.
std::optional<std::vector<std::size_t>> order_of_rows(const TensorView& a, const TensorView& b,
                                                      int threads) {
  const std::vector<Row> x = sorted_rows(a, threads);
  const std::vector<Row> y = sorted_rows(b, threads);
  std::vector<std::size_t> order(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i].first != y[i].first) return std::nullopt;
    order[y[i].second] = x[i].second;
  }
  return order;
}

/// The size of the heads whose rows rotary embeddings order otherwise: in halves (transformers), or
/// in pairs (Meta's code). 0 where the order is no such one.
std::size_t rotary_head(const std::vector<std::size_t>& order, bool to_pairs) {
  constexpr std::size_t kFewest = 8;  // rows whose order is no accident
  if (order.size() < kFewest) return 0;
  const auto one = std::ranges::find(order, std::size_t{1});
  const std::size_t head =
      to_pairs ? 2 * order[1] : 2 * static_cast<std::size_t>(one - order.begin());
  if (head < 4 || order.size() % head != 0) return 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::size_t in_head = i % head;
    const std::size_t from = to_pairs ? in_head % 2 * (head / 2) + in_head / 2
                                      : in_head % (head / 2) * 2 + in_head / (head / 2);
    if (order[i] != i - in_head + from) return 0;
  }
  return head;
}

/// Kernels of three channels, as of pictures, in the order 2, 1, 0.
bool are_channels_reversed(const TensorView& a, const TensorView& b, int threads) {
  const auto order = order_of_rows(a.transposed(0, 1), b.transposed(0, 1), threads);
  return order && *order == std::vector<std::size_t>{2, 1, 0};
}

std::string permutation_of_rows(const TensorView& a, const TensorView& b, const char* what,
                                int threads) {
  if (static_cast<std::uint64_t>(a.shape()[0]) > kMostRows)
    return sum_of_rows(a, threads) == sum_of_rows(b, threads) ? fmt::format("{} permuted", what)
                                                              : "";
  const auto order = order_of_rows(a, b, threads);
  return order ? row_order_text(*order, what) : "";
}

}  // namespace

std::size_t block_of_order(const std::vector<std::size_t>& order) {
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

std::vector<Digest128> row_digests(const TensorView& view, int threads) {
  std::vector<Digest128> digests(static_cast<std::size_t>(view.shape()[0]));
  for_each_row(view, threads,
               [&](std::uint64_t row, const Digest128& digest) { digests[row] = digest; });
  return digests;
}

std::string row_order_text(const std::vector<std::size_t>& order, const char* what) {
  for (const bool to_pairs : {true, false}) {
    if (const std::size_t head = rotary_head(order, to_pairs); head > 0)
      return fmt::format("{} of heads of {} permuted ({})", what, head,
                         to_pairs ? kRotaryToPairs : kRotaryToHalves);
  }
  const std::size_t block = block_of_order(order);
  return block == 1 ? fmt::format("{} permuted", what)
                    : fmt::format("blocks of {} {} permuted", block, what);
}

std::optional<std::vector<std::size_t>> permutation_order(const TensorView& a, const TensorView& b,
                                                          bool of_columns, int threads) {
  if (static_cast<std::uint64_t>(a.shape()[of_columns ? 1 : 0]) > kMostRows) return std::nullopt;
  return of_columns ? order_of_rows(a.transposed(0, 1), b.transposed(0, 1), threads)
                    : order_of_rows(a, b, threads);
}

bool is_permutation(std::string_view pattern) {
  return pattern.find(" permuted") != std::string_view::npos || pattern == kChannelsReversed;
}

std::string permutation_pattern(const TensorView& a, const TensorView& b, double norm_ratio,
                                int threads) {
  const bool comparable = a.dtype() == b.dtype() && a.shape() == b.shape() && a.numel() > 1 &&
                          std::fabs(norm_ratio - 1) < 1e-9;
  // The same elements in another order have the same sums.
  if (!comparable || code_sums(a, threads) != code_sums(b, threads)) return "";
  if (a.shape()[0] > 1) {
    std::string rows = permutation_of_rows(a, b, "rows", threads);
    if (!rows.empty()) return rows;
  }
  if (a.shape().size() < 2 || a.shape()[1] < 2) return "";
  if (a.shape().size() == 4 && a.shape()[1] == 3 && are_channels_reversed(a, b, threads))
    return std::string(kChannelsReversed);
  return permutation_of_rows(a.transposed(0, 1), b.transposed(0, 1), "columns", threads);
}

}  // namespace samebits
