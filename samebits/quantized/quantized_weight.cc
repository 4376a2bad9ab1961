#include "samebits/quantized/quantized_weight.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "samebits/compare/rounding.h"

namespace samebits {
namespace {

/// Distances to the neighbours among the numbers that any code means.
void set_gaps(CodeValues& values, std::size_t codes) {
  std::set<double> sorted;
  for (std::size_t i = 0; i < codes; ++i)
    if (std::isfinite(values.value[i])) sorted.insert(values.value[i]);
  for (std::size_t i = 0; i < codes; ++i) {
    const auto at = sorted.find(values.value[i]);
    if (at == sorted.end()) continue;
    const auto next = std::next(at);
    const double down = at == sorted.begin() ? 0 : *at - *std::prev(at);
    const double up = next == sorted.end() ? 0 : *next - *at;
    values.up[i] = up == 0 ? down : up;
    values.down[i] = down == 0 ? up : down;
  }
}

double rounded(DType type, double number) {
  return type == DType::float64 ? number : round_to(type, number);
}

}  // namespace

CodeValues CodeValues::integers(unsigned bits, double first) {
  CodeValues values;
  for (std::size_t i = 0; i < std::size_t{1} << bits; ++i)
    values.value[i] = first + static_cast<double>(i);
  values.up.fill(1);
  values.down.fill(1);
  return values;
}

std::optional<CodeValues> CodeValues::of_bytes(DType type) {
  const bool is_signed = type == DType::int8 || type == DType::qint8;
  const bool is_unsigned = type == DType::uint8 || type == DType::quint8;
  const bool is_float = is_floating(type) && itemsize(type) == 1 && has_element_values(type);
  if (!is_signed && !is_unsigned && !is_float) return std::nullopt;
  CodeValues values;
  for (std::size_t i = 0; i < 256; ++i) {
    const auto byte = static_cast<std::uint8_t>(i);
    values.value[i] = is_float    ? element_as_double(type, &byte)
                      : is_signed ? static_cast<std::int8_t>(byte)
                                  : byte;
  }
  set_gaps(values, 256);
  return values;
}

std::optional<CodeValues> CodeValues::of_table(const std::vector<double>& numbers) {
  if (numbers.size() < 2 || numbers.size() > 256) return std::nullopt;
  if (!std::ranges::all_of(numbers, [](double each) { return std::isfinite(each); }))
    return std::nullopt;
  CodeValues values;
  std::ranges::copy(numbers, values.value.begin());
  set_gaps(values, numbers.size());
  if (values.up[0] == 0) return std::nullopt;
  return values;
}

bool QuantizedWeight::fits() const {
  if (rows == 0 || columns == 0 || scales.empty()) return false;
  if (rows > UINT64_MAX / columns) return false;
  const std::uint64_t lines = lines_are_columns ? columns : rows;
  const std::uint64_t along = lines_are_columns ? rows : columns;
  if (codes.lines() < lines || codes.codes() < along) return false;
  if (!zeros.empty() && zeros.size() != scales.size()) return false;
  if (grid.block_rows == 0 || grid.block_columns == 0) return false;
  if (!grid.column_block.empty() && grid.column_block.size() != columns) return false;
  const std::uint64_t last_row = (rows - 1) / grid.block_rows;
  const std::uint64_t last_column = grid.column_block.empty()
                                        ? (columns - 1) / grid.block_columns
                                        : *std::ranges::max_element(grid.column_block);
  const std::uint64_t most = scales.size() - 1;
  const auto reaches = [&](std::uint64_t last, std::uint64_t step) {
    return step == 0 || last <= most / step;
  };
  return reaches(last_row, grid.row_step) && reaches(last_column, grid.column_step) &&
         last_row * grid.row_step + last_column * grid.column_step <= most;
}

void QuantizedWeight::read(std::uint64_t first, std::uint64_t count, DecodedRun& run) const {
  for (auto* list : {&run.numbers, &run.unrounded, &run.up, &run.down, &run.blurred, &run.slack})
    list->resize(count);
  run.codes.resize(count);
  std::uint64_t row = first / columns, column = first % columns;
  for (std::uint64_t i = 0; i < count; ++i) {
    const unsigned code = lines_are_columns ? codes.at(column, row) : codes.at(row, column);
    const std::uint64_t place = grid.index(row, column);
    const double zero = zeros.empty() ? 0 : zeros[place];
    const double scale = scales[place];
    const double step = scale * factor;
    const double shifted = rounded(difference, values.value[code] - zero);
    double number = rounded(product, shifted * scale);
    if (factor != 1) number = rounded(product, number * factor);
    run.numbers[i] = rounded(result, number);
    run.unrounded[i] = (values.value[code] - zero) * step;
    run.up[i] = std::fabs((step < 0 ? values.down : values.up)[code] * step);
    run.down[i] = std::fabs((step < 0 ? values.up : values.down)[code] * step);
    const double sum = zeros.empty() ? 0 : std::fabs(values.value[code]);
    run.blurred[i] = (2 * std::fabs(values.value[code] - zero) + sum) * std::fabs(step);
    run.slack[i] = std::fabs(values.value[code] - zero) * scale_error;
    run.codes[i] = code;
    if (++column == columns) column = 0, ++row;
  }
}

std::string blocks_text(const QuantizedWeight& weight) {
  const ScaleGrid& grid = weight.grid;
  if (weight.scales.size() == 1) return "one scale";
  if (grid.block_rows > 1)
    return fmt::format("blocks of [{}, {}]", grid.block_rows, grid.block_columns);
  if (grid.column_step == 0) return "a scale for each row";
  if (grid.row_step == 0 && grid.block_columns == 1) return "a scale for each column";
  return fmt::format("blocks of {}", grid.block_columns);
}

}  // namespace samebits
