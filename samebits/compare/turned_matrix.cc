#include "samebits/compare/turned_matrix.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "samebits/compare/number_block.h"

namespace samebits {
namespace {

constexpr std::int64_t kFewest = 12;  // rows and columns
constexpr std::uint64_t kMostElements = std::uint64_t{1} << 26;
constexpr double kOneLength = 2e-3;  // relative, of bfloat16 and wider
constexpr double kSpread = 1.05;     // longest over shortest

struct Lengths {
  std::vector<double> rows, columns;
};

Lengths lengths_of(const TensorView& matrix) {
  const auto width = static_cast<std::size_t>(matrix.shape()[1]);
  Lengths lengths;
  lengths.rows.resize(static_cast<std::size_t>(matrix.shape()[0]));
  lengths.columns.resize(width);
  std::size_t i = 0;
  for_each_number(matrix, [&](double number) {
    lengths.rows[i / width] += number * number;
    lengths.columns[i % width] += number * number;
    ++i;
  });
  for (auto* side : {&lengths.rows, &lengths.columns})
    for (double& length : *side) length = std::sqrt(length);
  return lengths;
}

bool agree(const std::vector<double>& a, const std::vector<double>& b) {
  double longest = 0;
  double shortest = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!(std::fabs(a[i] - b[i]) <= kOneLength * std::max(a[i], b[i]))) return false;
    longest = std::max(longest, a[i]);
    shortest = std::min(shortest, a[i]);
  }
  return longest > kSpread * shortest && std::isfinite(longest);
}

}  // namespace

Turned turned_matrix(const TensorView& a, const TensorView& b) {
  const Shape& shape = a.shape();
  if (shape.size() != 2 || shape != b.shape() || std::min(shape[0], shape[1]) < kFewest ||
      a.numel() > kMostElements)
    return Turned::no;
  const Lengths of_a = lengths_of(a);
  const Lengths of_b = lengths_of(b);
  if (agree(of_a.rows, of_b.rows)) return Turned::rows;
  return agree(of_a.columns, of_b.columns) ? Turned::columns : Turned::no;
}

}  // namespace samebits
