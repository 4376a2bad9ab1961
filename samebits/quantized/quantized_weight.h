// A weight that is stored as codes and scales, and the numbers that these mean.
//
// A number is value[code] less a zero point, times the scale of its block. The steps are those of
// the library that wrote it, each rounded to the type in which it computes, so that the
// numbers are the library's, bit for bit, where `exact` says so.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "samebits/quantized/bit_codes.h"
#include "samebits/tensor/tensor.h"

namespace samebits {

/// What codes mean, in units of a scale, and how far it is to the next codes above and below. At
/// either end the distance to the other side stands for both.
struct CodeValues {
  std::array<double, 256> value{}, up{}, down{};
  /// Whole numbers from `first`.
  static CodeValues integers(unsigned bits, double first);
  /// int8 or uint8, or a float of one byte; nothing for other types.
  static std::optional<CodeValues> of_bytes(DType type);
  /// Of a table: code i means numbers[i]. Needs at least two different ones, 256 numbers at most.
  static std::optional<CodeValues> of_table(const std::vector<double>& numbers);
};

/// Which scale an element has: rows and columns are those of the weight as a matrix, all dimensions
/// but the first in its columns.
struct ScaleGrid {
  std::uint64_t block_rows = 1, block_columns = 1;
  std::uint64_t row_step = 0, column_step = 0;  // in the list of scales, from block to block
  std::vector<std::uint32_t> column_block;      // of each column, where they are not in order
  std::uint64_t index(std::uint64_t row, std::uint64_t column) const {
    const std::uint64_t block =
        column_block.empty() ? column / block_columns : column_block[column];
    return row / block_rows * row_step + block * column_step;
  }
};

/// Numbers of a run of elements.
struct DecodedRun {
  std::vector<double> numbers;    // as the library gives them
  std::vector<double> unrounded;  // (value - zero) * scale, in double
  std::vector<double> up, down;   // from there to the next codes
  /// What is rounded when a number becomes a code: the sizes of quotient, sum and number.
  std::vector<double> blurred;
  std::vector<double> slack;  // what the error of the scale makes of it
  std::vector<unsigned> codes;
};

/// Borrows the codes from the checkpoint that it was read from.
struct QuantizedWeight {
  std::string form;        // "bitsandbytes nf4, blocks of 64, double quantized"
  std::string codes_name;  // of the tensor of codes
  Shape shape;
  std::uint64_t rows = 0, columns = 0;  // one row where blocks follow one another in all elements
  BitCodes codes;
  bool lines_are_columns = false;
  CodeValues values;
  std::vector<double> scales;
  std::vector<double> zeros;  // as many as scales, or none
  ScaleGrid grid;
  double factor = 1;       // after the scale
  double scale_error = 0;  // how far a scale may be from the one by which numbers were rounded
  /// In which types the library takes the difference and the product, and what it gives.
  DType difference = DType::float32, product = DType::float32, result = DType::float32;
  bool exact = true;    // the numbers are the library's, and `result` is its type
  bool nearest = true;  // the library rounds each number to the nearest code

  std::uint64_t numel() const { return rows * columns; }
  /// Whether all indexes lie inside their lists. What reads a file calls it once.
  bool fits() const;
  /// Elements [first, first + count) in row-major order. Requires fits().
  void read(std::uint64_t first, std::uint64_t count, DecodedRun& run) const;
};

/// "one scale", "a scale for each row", "blocks of 64", "blocks of [128, 128]".
std::string blocks_text(const QuantizedWeight& weight);

}  // namespace samebits
