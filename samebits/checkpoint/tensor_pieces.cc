#include "samebits/checkpoint/tensor_pieces.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "samebits/base/bytes.h"

namespace samebits {
namespace {

/// Row-major index in a tensor of `strides` at which row `row` of a block of `size` begins. A row
/// runs along the last dimension.
std::uint64_t row_begin(std::uint64_t row, const Shape& size, const Shape& offsets,
                        const Strides& strides) {
  std::uint64_t at = 0;
  for (std::size_t i = size.size(); i-- > 0;) {
    std::uint64_t index = 0;
    if (i + 1 != size.size()) {
      index = row % static_cast<std::uint64_t>(size[i]);
      row /= static_cast<std::uint64_t>(size[i]);
    }
    at += (index + static_cast<std::uint64_t>(offsets[i])) * static_cast<std::uint64_t>(strides[i]);
  }
  return at;
}

bool lies_inside(const Shape& size, const Shape& offsets, const Shape& whole) {
  if (size.size() != whole.size() || offsets.size() != whole.size()) return false;
  for (std::size_t i = 0; i < size.size(); ++i)
    if (offsets[i] < 0 || offsets[i] > whole[i] || size[i] > whole[i] - offsets[i]) return false;
  return true;
}

}  // namespace

Result<TensorPieces> TensorPieces::make(DType dtype, Shape shape) {
  SAMEBITS_TRY(const TensorView view, TensorView::valueless(dtype, shape));
  TensorPieces pieces;
  pieces.dtype_ = dtype;
  pieces.shape_ = std::move(shape);
  pieces.strides_ = contiguous_strides(pieces.shape_);
  pieces.numel_ = view.numel();
  pieces.bytes_ = std::make_shared<std::vector<std::uint8_t>>(view.nbytes());
  pieces.given_.resize(view.numel());
  return pieces;
}

bool TensorPieces::add(const Shape& offsets, const TensorView& block) {
  const Shape& size = block.shape();
  if (!lies_inside(size, offsets, shape_)) return false;
  if (!begins_.insert(offsets).second || block.numel() == 0) return true;
  copied_ += block.numel();
  const std::uint64_t item = itemsize(dtype_);
  const std::uint64_t run = size.empty() ? 1 : static_cast<std::uint64_t>(size.back());
  std::vector<std::uint8_t> buffer;
  for (std::uint64_t row = 0; row * run < block.numel(); ++row) {
    const std::uint64_t at = row_begin(row, size, offsets, strides_);
    const Bytes bytes = block.row_major_range(row * run, run, buffer);
    std::memcpy(bytes_->data() + at * item, bytes.data(), bytes.size());
    std::fill_n(given_.begin() + static_cast<std::ptrdiff_t>(at), run, true);
  }
  return true;
}

std::string TensorPieces::fault() const {
  const auto given = static_cast<std::uint64_t>(std::ranges::count(given_, true));
  if (given < numel_) return fmt::format("its parts cover {} of {} elements", given, numel_);
  if (copied_ > numel_)
    return fmt::format("its parts overlap: they hold {} elements, and it has {}", copied_, numel_);
  return "";
}

Result<TensorPieces::Whole> TensorPieces::finish() && {
  Whole whole;
  SAMEBITS_TRY(whole.view, TensorView::make(dtype_, shape_, strides_, 0, *bytes_));
  whole.bytes = std::move(bytes_);
  return whole;
}

}  // namespace samebits
