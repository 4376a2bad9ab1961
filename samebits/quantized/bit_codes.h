// Codes of a few bits each, packed in bytes or 32-bit words: one matrix of them.
//
// A matrix is cut into lines. The codes of a line follow one another without gaps, the lowest bits
// first; a line's words may be apart from each other, as those of a column are. All forms that are
// read here are of this kind (see forms.h); they differ in what a line is, and in the order of the
// codes in a word.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "samebits/tensor/tensor.h"

namespace samebits {

/// Where the codes of eight neighbours stand.
using CodeOrder = std::array<std::uint8_t, 8>;
constexpr CodeOrder kInOrder = {0, 1, 2, 3, 4, 5, 6, 7};
constexpr CodeOrder kHighFirst = {1, 0, 3, 2, 5, 4, 7, 6};    // the high half of a byte first
constexpr CodeOrder kInterleaved = {0, 4, 1, 5, 2, 6, 3, 7};  // AWQ: even ones, then odd ones

class BitCodes {
 public:
  BitCodes() = default;
  /// Lines are the rows of `packed`, whose other dimensions follow one another. `bits` is 1 to 8.
  static std::optional<BitCodes> in_rows(const TensorView& packed, unsigned bits,
                                         const CodeOrder& order = kInOrder);
  /// All bytes of `packed` are one line.
  static std::optional<BitCodes> in_one_line(const TensorView& packed, unsigned bits,
                                             const CodeOrder& order = kInOrder);
  /// Lines are the columns of a matrix of 32-bit words.
  static std::optional<BitCodes> in_columns(const TensorView& packed, unsigned bits);

  std::uint64_t lines() const { return lines_; }
  /// Codes that fit in a line.
  std::uint64_t codes() const { return line_words_ * word_bytes_ * 8 / bits_; }
  unsigned bits() const { return bits_; }

  /// Requires line < lines() and position < codes().
  unsigned at(std::uint64_t line, std::uint64_t position) const {
    const std::uint64_t place = (position & ~std::uint64_t{7}) | order_[position & 7];
    const std::uint64_t bit = place * bits_;
    const std::uint64_t byte = bit / 8;
    const unsigned shift = bit % 8;
    unsigned found = byte_of(line, byte) >> shift;
    if (shift + bits_ > 8) found |= byte_of(line, byte + 1) << (8 - shift);
    return found & ((1U << bits_) - 1);
  }

 private:
  unsigned byte_of(std::uint64_t line, std::uint64_t byte) const {
    return bytes_[line * line_step_ + byte / word_bytes_ * word_step_ + byte % word_bytes_];
  }

  std::shared_ptr<std::vector<std::uint8_t>> owned_;  // where the view is not plain
  Bytes bytes_;
  CodeOrder order_ = kInOrder;
  unsigned bits_ = 8;
  std::uint64_t lines_ = 0, line_words_ = 0, word_bytes_ = 1;
  std::uint64_t line_step_ = 0, word_step_ = 0;
};

}  // namespace samebits
