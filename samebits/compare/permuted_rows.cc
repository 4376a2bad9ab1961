#include "samebits/compare/permuted_rows.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "samebits/tensor/digest.h"

namespace samebits {
namespace {

constexpr std::uint64_t kGather = 1 << 18;  // elements that are brought into order at a time

std::vector<Digest128> row_digests(const TensorView& view) {
  const auto rows = static_cast<std::uint64_t>(view.shape()[0]);
  const std::uint64_t size = view.numel() / rows;
  const std::uint64_t step = std::max<std::uint64_t>(1, kGather / std::max<std::uint64_t>(1, size));
  std::vector<Digest128> digests;
  digests.reserve(rows);
  std::vector<std::uint8_t> buffer;
  for (std::uint64_t row = 0; row < rows; row += step) {
    const std::uint64_t count = std::min(step, rows - row);
    const Bytes bytes = view.row_major_range(row * size, count * size, buffer);
    const std::uint64_t bytes_each = bytes.size() / count;
    for (std::uint64_t i = 0; i < count; ++i)
      digests.push_back(fast_digest(bytes.subspan(i * bytes_each, bytes_each)));
  }
  std::sort(digests.begin(), digests.end());
  return digests;
}

}  // namespace

std::string permutation_pattern(const TensorView& a, const TensorView& b, double norm_ratio) {
  const bool comparable = a.dtype() == b.dtype() && a.shape() == b.shape() && a.numel() > 1 &&
                          std::fabs(norm_ratio - 1) < 1e-9;
  if (!comparable) return "";
  if (a.shape()[0] > 1 && row_digests(a) == row_digests(b)) return "rows permuted";
  if (a.shape().size() < 2 || a.shape()[1] < 2) return "";
  return row_digests(a.transposed(0, 1)) == row_digests(b.transposed(0, 1)) ? "columns permuted"
                                                                            : "";
}

}  // namespace samebits
