#include "samebits/tensor/strided_copy.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "samebits/base/error.h"

namespace samebits {
namespace {

using Dimension = StridedCopy::Dimension;

// Rows, and columns, that are copied together where the source runs down the columns: each line of
// the cache is then used while it is near.
constexpr std::uint64_t kTileRows = 32;
constexpr std::uint64_t kTileColumns = 64;

template <std::size_t kItem>
void copy_row(const std::uint8_t* source, std::uint64_t stride, std::uint64_t count,
              std::uint8_t* target) {
  for (std::uint64_t i = 0; i < count; ++i) {
    std::memcpy(target + i * kItem, source + i * stride, kItem);
  }
}

void copy_run(const std::uint8_t* source, std::uint64_t stride, std::uint64_t count,
              std::uint64_t itemsize, std::uint8_t* target) {
  if (stride == itemsize) {
    std::memcpy(target, source, count * itemsize);
    return;
  }
  switch (itemsize) {
    case 1: return copy_row<1>(source, stride, count, target);
    case 2: return copy_row<2>(source, stride, count, target);
    case 4: return copy_row<4>(source, stride, count, target);
    case 8: return copy_row<8>(source, stride, count, target);
    case 16: return copy_row<16>(source, stride, count, target);
    default: SAMEBITS_CHECK(false);
  }
}

// Which row of the tensor we are at, and where it begins in the source.
class RowCursor {
 public:
  RowCursor(std::span<const Dimension> outer, std::uint64_t row)
      : outer_(outer), index_(outer.size()) {
    for (std::size_t d = outer.size(); d-- > 0;) {
      index_[d] = row % outer[d].size;
      row /= outer[d].size;
      offset_ += index_[d] * outer[d].stride;
    }
  }

  std::uint64_t offset() const { return offset_; }
  /// Rows from here to the end of the innermost outer dimension.
  std::uint64_t rows_left() const {
    return outer_.empty() ? 1 : outer_.back().size - index_.back();
  }
  /// Requires count <= rows_left().
  void advance(std::uint64_t count) {
    for (std::size_t d = outer_.size(); d-- > 0; count = 1) {
      index_[d] += count;
      offset_ += count * outer_[d].stride;
      if (index_[d] < outer_[d].size) return;
      offset_ -= outer_[d].size * outer_[d].stride;
      index_[d] = 0;
    }
  }

 private:
  std::span<const Dimension> outer_;
  std::vector<std::uint64_t> index_;
  std::uint64_t offset_ = 0;
};

void copy_tile_rows(const std::uint8_t* source, std::uint64_t rows, Dimension row, Dimension column,
                    std::uint64_t itemsize, std::uint8_t* target) {
  for (std::uint64_t c = 0; c < column.size; c += kTileColumns) {
    const std::uint64_t columns = std::min(kTileColumns, column.size - c);
    for (std::uint64_t r = 0; r < rows; ++r) {
      copy_run(source + r * row.stride + c * column.stride, column.stride, columns, itemsize,
               target + (r * column.size + c) * itemsize);
    }
  }
}

template <class T, class Swap>
void swap_parts(std::uint8_t* data, std::uint64_t count, Swap swap) {
  for (std::uint64_t i = 0; i < count; ++i) {
    T part;
    std::memcpy(&part, data + i * sizeof(T), sizeof(T));
    part = swap(part);
    std::memcpy(data + i * sizeof(T), &part, sizeof(T));
  }
}

}  // namespace

StridedCopy::StridedCopy(const std::vector<std::int64_t>& shape,
                         const std::vector<std::int64_t>& strides, std::uint64_t itemsize)
    : inner_{1, itemsize}, itemsize_(itemsize) {
  for (std::size_t d = 0; d < shape.size(); ++d) {
    const Dimension next{static_cast<std::uint64_t>(shape[d]),
                         static_cast<std::uint64_t>(strides[d]) * itemsize};
    if (next.size == 1) continue;
    if (!outer_.empty() && outer_.back().stride == next.size * next.stride) {
      outer_.back() = {outer_.back().size * next.size, next.stride};
    } else {
      outer_.push_back(next);
    }
  }
  if (outer_.empty()) return;
  inner_ = outer_.back();
  outer_.pop_back();
}

void StridedCopy::run(const std::uint8_t* source, std::uint64_t first, std::uint64_t count,
                      std::uint8_t* target) const {
  const bool down_columns = !outer_.empty() && outer_.back().stride < inner_.stride;
  RowCursor cursor(outer_, first / inner_.size);
  std::uint64_t column = first % inner_.size;
  while (count > 0) {
    std::uint64_t rows = std::min(cursor.rows_left(), count / inner_.size);
    std::uint64_t copied = 0;
    if (down_columns && column == 0 && rows > 1) {
      rows = std::min(rows, kTileRows);
      copied = rows * inner_.size;
      copy_tile_rows(source + cursor.offset(), rows, outer_.back(), inner_, itemsize_, target);
    } else {
      rows = 1;
      copied = std::min(count, inner_.size - column);
      copy_run(source + cursor.offset() + column * inner_.stride, inner_.stride, copied, itemsize_,
               target);
    }
    target += copied * itemsize_;
    count -= copied;
    column = 0;
    cursor.advance(rows);
  }
}

void swap_bytes(std::uint8_t* data, std::uint64_t count, std::uint64_t itemsize) {
  switch (itemsize) {
    case 1: return;
    case 2:
      return swap_parts<std::uint16_t>(data, count,
                                       [](std::uint16_t x) { return __builtin_bswap16(x); });
    case 4:
      return swap_parts<std::uint32_t>(data, count,
                                       [](std::uint32_t x) { return __builtin_bswap32(x); });
    case 8:
      return swap_parts<std::uint64_t>(data, count,
                                       [](std::uint64_t x) { return __builtin_bswap64(x); });
    default: SAMEBITS_CHECK(false);
  }
}

}  // namespace samebits
