#include "samebits/explain/output_pair.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <fmt/format.h>

namespace samebits {
namespace {

// The same values as rows of the last dimension: tokens, whatever image they are in.
TensorView as_rows(const TensorView& view) {
  const Shape& shape = view.shape();
  if (shape.size() < 3 || !view.is_plain()) return view;
  Shape rows = {1, shape.back()};
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) rows[0] *= shape[i];
  const auto reshaped =
      TensorView::make(view.dtype(), rows, contiguous_strides(rows), 0, view.plain_bytes());
  return reshaped ? *reshaped : view;
}

/// Of the numbers that are set, "3" or "16 to 31"; "" where they are not side by side.
std::string range_text(const std::vector<bool>& set) {
  const auto first = std::find(set.begin(), set.end(), true);
  const auto last = std::find(set.rbegin(), set.rend(), true).base();
  if (std::find(first, last, false) != last) return "";
  const auto from = first - set.begin();
  const auto to = last - set.begin() - 1;
  return from == to ? std::to_string(from) : fmt::format("{} to {}", from, to);
}

/// Tokens [image, token, column] or columns to which all differences are confined.
std::string where_text(const ValuePair& values) {
  const Shape& shape = values.a.shape();
  const bool real = has_element_values(values.a.dtype()) && has_element_values(values.b.dtype());
  if (shape.size() < 2 || !real || !values.a.is_plain() || !values.b.is_plain()) return "";
  const auto columns = static_cast<std::size_t>(shape.back());
  const auto tokens = static_cast<std::size_t>(shape[shape.size() - 2]);
  std::vector<bool> in_column(columns);
  std::vector<bool> in_token(tokens);
  const std::uint64_t item_a = itemsize(values.a.dtype());
  const std::uint64_t item_b = itemsize(values.b.dtype());
  const Bytes a = values.a.plain_bytes();
  const Bytes b = values.b.plain_bytes();
  for (std::uint64_t i = 0; i < values.a.numel(); ++i) {
    const double x = element_as_double(values.a.dtype(), a.data() + i * item_a);
    const double y = element_as_double(values.b.dtype(), b.data() + i * item_b);
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    in_column[i % columns] = true;
    in_token[i / columns % tokens] = true;
  }
  const auto few = [](const std::vector<bool>& set) {
    const auto count = static_cast<std::size_t>(std::count(set.begin(), set.end(), true));
    return count > 0 && 2 * count <= set.size();
  };
  const std::string column = few(in_column) ? range_text(in_column) : "";
  const std::string token = few(in_token) && shape.size() > 2 ? range_text(in_token) : "";
  std::string text;
  if (!token.empty())
    text = fmt::format("token{} {}", token.find(' ') == token.npos ? "" : "s", token);
  if (column.empty()) return text;
  const bool one = column.find(' ') == column.npos;
  return text + (text.empty() ? "" : ", ") +
         fmt::format("column{} {} of {}", one ? "" : "s", column, columns);
}

std::string rounded_text(const std::string& narrow, DType type, const std::string& wide) {
  return narrow + " is " + wide + " rounded to " + std::string(info(type).torch);
}

/// Where a few round numbers differ, one side's are a narrower type's whatever was computed: 1 is
/// the rounding of 1.000001. Four or more are not so by chance, and a narrower type that is stored
/// says it.
bool are_rounded_numbers(const ValuePair& values, bool in_b) {
  constexpr std::size_t kEnough = 4;
  const DType type_a = values.a.dtype();
  const DType type_b = values.b.dtype();
  if (type_a != type_b || !has_element_values(type_a)) return true;
  std::vector<std::uint8_t> buffer_a;
  std::vector<std::uint8_t> buffer_b;
  const Bytes a = values.a.row_major_bytes(buffer_a);
  const Bytes b = values.b.row_major_bytes(buffer_b);
  std::set<double> rounded;
  for (std::uint64_t at = 0; at < a.size() && rounded.size() < kEnough; at += itemsize(type_a)) {
    const double x = element_as_double(type_a, a.data() + at);
    const double y = element_as_double(type_b, b.data() + at);
    if (x != y) rounded.insert(in_b ? y : x);
  }
  return rounded.size() == kEnough;
}

std::string dropout_text(const OutputPair& pair) {
  const auto [rate_a, rate_b] = *pair.dropout;
  if (rate_a > 0 && rate_b > 0) return "equal but for dropout in both";
  return fmt::format("{} is {} behind dropout of about {:.2g}", rate_a > 0 ? pair.a : pair.b,
                     rate_a > 0 ? pair.b : pair.a, std::max(rate_a, rate_b));
}

}  // namespace

TensorView view_of(const NamedArray& array) {
  const Shape shape(array.shape.begin(), array.shape.end());
  return *TensorView::make(DType::float32, shape, contiguous_strides(shape), 0,
                           {reinterpret_cast<const std::uint8_t*>(array.values.data()),
                            array.values.size() * sizeof(float)});
}

OutputPair compare_outputs(const std::string& a, const std::string& b, const std::string& point,
                           const ValuePair& values, int threads) {
  const ValueRelation relation =
      relate_values({{as_rows(values.a), as_rows(values.b)}}, threads).front();
  const TensorStats& stats = relation.stats;
  OutputPair pair{.a = a,
                  .b = b,
                  .point = point,
                  .verdict = stats.differing == 0 ? "identical" : "different",
                  .elements = stats.elements,
                  .differing = stats.differing,
                  .max_abs = stats.max_abs,
                  .max_ulp = stats.max_ulp,
                  .cosine = stats.cosine,
                  .looks_like = stats.pattern};
  if (stats.differing == 0) return pair;
  if (stats.max_abs == 0) pair.max_abs = std::numeric_limits<double>::quiet_NaN();
  if (2 * stats.differing <= stats.elements) pair.where = where_text(values);
  if (stats.pattern == "rows permuted") {
    pair.verdict = "permuted";
  } else if (relation.rounded_b && are_rounded_numbers(values, true)) {
    pair.verdict = "rounding";
    pair.narrower = relation.rounded_b;
    pair.looks_like = rounded_text(b, *relation.rounded_b, a);
  } else if (relation.rounded_a && are_rounded_numbers(values, false)) {
    pair.verdict = "rounding";
    pair.narrower = relation.rounded_a;
    pair.looks_like = rounded_text(a, *relation.rounded_a, b);
  } else {
    pair.dropout = dropout_pattern(values);
    if (pair.dropout) pair.looks_like = dropout_text(pair);
  }
  return pair;
}

}  // namespace samebits
