#include "samebits/tensor/tensor.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "samebits/base/limits.h"
#include "samebits/tensor/element_signs.h"
#include "samebits/tensor/strided_copy.h"

namespace samebits {
namespace {

constexpr std::uint64_t kMaxCount = std::uint64_t{1} << 63;

Error overflow(const Shape& shape) {
  return {.code = ErrorCode::limit,
          .what = "the shape " + shape_text(shape) + " has more elements than 63 bits can count"};
}

Result<void> check_dimensions(const Shape& shape, const Strides& strides) {
  if (shape.size() > kLimits.dimensions) {
    return fail({.code = ErrorCode::limit,
                 .what = "a tensor has too many dimensions",
                 .expected = "at most " + std::to_string(kLimits.dimensions),
                 .found = std::to_string(shape.size())});
  }
  if (shape.size() != strides.size()) {
    return fail({.code = ErrorCode::malformed,
                 .what = "shape and strides differ in length",
                 .expected = std::to_string(shape.size()) + " strides",
                 .found = std::to_string(strides.size())});
  }
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] >= 0 && strides[d] >= 0) continue;
    return fail({.code = ErrorCode::malformed,
                 .what = shape[d] < 0 ? "a size is negative" : "a stride is negative",
                 .found = shape_text(shape[d] < 0 ? shape : strides)});
  }
  return {};
}

// Bytes from the storage's start to the end of the last element of a tensor that has elements.
Result<std::uint64_t> bytes_reached(const Shape& shape, const Strides& strides,
                                    std::uint64_t offset, std::uint64_t item) {
  std::uint64_t elements = 0;
  bool fits = checked_add(offset, 1, &elements);
  for (std::size_t d = 0; fits && d < shape.size(); ++d) {
    std::uint64_t step = 0;
    fits = checked_mul(static_cast<std::uint64_t>(shape[d]) - 1,
                       static_cast<std::uint64_t>(strides[d]), &step) &&
           checked_add(elements, step, &elements);
  }
  std::uint64_t bytes = 0;
  if (!fits || !checked_mul(elements, item, &bytes)) {
    return fail({.code = ErrorCode::limit,
                 .what = "shape " + shape_text(shape) + ", strides " + shape_text(strides) +
                         " and offset " + std::to_string(offset) + " overflow"});
  }
  return bytes;
}

// Sizes of 1 may have any stride, and so may every size of an empty tensor.
bool is_contiguous(const Shape& shape, const Strides& strides, std::uint64_t numel) {
  if (numel == 0) return true;
  std::int64_t expected = 1;
  for (std::size_t d = shape.size(); d-- > 0;) {
    if (shape[d] == 1) continue;
    if (strides[d] != expected) return false;
    expected *= shape[d];
  }
  return true;
}

}  // namespace

Result<std::uint64_t> element_count(const Shape& shape) {
  std::uint64_t count = 1;
  for (const std::int64_t size : shape) {
    if (size < 0) {
      return fail(
          {.code = ErrorCode::malformed, .what = "a size is negative", .found = shape_text(shape)});
    }
    if (!checked_mul(count, static_cast<std::uint64_t>(size), &count) || count >= kMaxCount) {
      return fail(overflow(shape));
    }
  }
  return count;
}

Strides contiguous_strides(const Shape& shape) {
  Strides strides(shape.size());
  std::int64_t next = 1;
  for (std::size_t d = shape.size(); d-- > 0;) {
    strides[d] = next;
    // torch counts a size of 0 as 1 here.
    if (__builtin_mul_overflow(next, std::max<std::int64_t>(shape[d], 1), &next)) {
      next = std::numeric_limits<std::int64_t>::max();
    }
  }
  return strides;
}

std::string shape_text(const Shape& shape) {
  std::string text = "[";
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (d > 0) text += ", ";
    text += std::to_string(shape[d]);
  }
  return text + "]";
}

Result<TensorView> TensorView::make(DType dtype, Shape shape, Strides strides, std::uint64_t offset,
                                    Bytes storage, bool big_endian) {
  SAMEBITS_TRY_VOID(check_dimensions(shape, strides));
  TensorView view;
  const std::uint64_t item = itemsize(dtype);
  SAMEBITS_TRY(view.numel_, element_count(shape));
  std::uint64_t nbytes = 0;
  if (!checked_mul(view.numel_, item, &nbytes)) return fail(overflow(shape));
  if (view.numel_ > 0) {
    SAMEBITS_TRY(const std::uint64_t reached, bytes_reached(shape, strides, offset, item));
    if (reached > storage.size()) {
      return fail({.code = ErrorCode::truncated,
                   .what = "a view " + shape_text(shape) + " reaches past its storage",
                   .expected = std::to_string(reached) + " bytes",
                   .found = std::to_string(storage.size())});
    }
    view.byte_offset_ = offset * item;
  } else if (!checked_mul(offset, item, &view.byte_offset_)) {
    view.byte_offset_ = 0;
  }
  view.dtype_ = dtype;
  view.contiguous_ = is_contiguous(shape, strides, view.numel_);
  view.big_endian_ = big_endian && component_size(dtype) > 1;
  view.shape_ = std::move(shape);
  view.strides_ = std::move(strides);
  view.storage_ = storage;
  return view;
}

Result<TensorView> TensorView::valueless(DType dtype, Shape shape) {
  Strides strides = contiguous_strides(shape);
  SAMEBITS_TRY_VOID(check_dimensions(shape, strides));
  TensorView view;
  SAMEBITS_TRY(view.numel_, element_count(shape));
  std::uint64_t nbytes = 0;
  if (!checked_mul(view.numel_, itemsize(dtype), &nbytes)) return fail(overflow(shape));
  view.dtype_ = dtype;
  view.shape_ = std::move(shape);
  view.strides_ = std::move(strides);
  view.contiguous_ = view.numel_ == 0;
  return view;
}

Result<TensorView> TensorView::with_signs(bool conjugated, bool negated) const {
  const std::string type(info(dtype_).torch);
  if (conjugated && info(dtype_).family != DTypeFamily::complex) {
    return fail({.code = ErrorCode::malformed, .what = "a tensor of " + type + " has a conjugate"});
  }
  if (negated && !has_negatives(dtype_)) {
    return fail(
        {.code = ErrorCode::unsupported,
         .what = "a negated view of " + type + ", which torch does not negate, is not read"});
  }
  TensorView view = *this;
  view.conjugated_ = conjugated;
  view.negated_ = negated;
  return view;
}

Result<TensorView> TensorView::over(Shape shape, Strides strides, std::uint64_t offset) const {
  SAMEBITS_TRY(TensorView view,
               make(dtype_, std::move(shape), std::move(strides), offset, storage_, big_endian_));
  view.conjugated_ = conjugated_;
  view.negated_ = negated_;
  return view;
}

Bytes TensorView::plain_bytes() const {
  SAMEBITS_CHECK(is_plain());
  return numel_ == 0 ? Bytes{} : storage_.subspan(byte_offset_, nbytes());
}

Bytes TensorView::row_major_bytes(std::vector<std::uint8_t>& buffer) const {
  return row_major_range(0, numel_, buffer);
}

Bytes TensorView::row_major_range(std::uint64_t first, std::uint64_t count,
                                  std::vector<std::uint8_t>& buffer) const {
  SAMEBITS_CHECK(first <= numel_ && count <= numel_ - first);
  const std::uint64_t item = itemsize(dtype_);
  if (count == 0) return {};
  if (is_plain()) return plain_bytes().subspan(first * item, count * item);
  SAMEBITS_CHECK(!storage_.empty());
  buffer.resize(count * item);
  StridedCopy(shape_, strides_, item)
      .run(storage_.data() + byte_offset_, first, count, buffer.data());
  if (big_endian_) {
    const std::uint64_t component = component_size(dtype_);
    swap_bytes(buffer.data(), buffer.size() / component, component);
  }
  if (conjugated_ || negated_) turn_signs(dtype_, conjugated_, negated_, buffer);
  return buffer;
}

TensorView TensorView::transposed(int dim0, int dim1) const {
  const auto rank = static_cast<int>(shape_.size());
  SAMEBITS_CHECK(dim0 >= 0 && dim0 < rank && dim1 >= 0 && dim1 < rank);
  TensorView view = *this;
  std::swap(view.shape_[static_cast<std::size_t>(dim0)],
            view.shape_[static_cast<std::size_t>(dim1)]);
  std::swap(view.strides_[static_cast<std::size_t>(dim0)],
            view.strides_[static_cast<std::size_t>(dim1)]);
  view.contiguous_ = is_contiguous(view.shape_, view.strides_, numel_);
  return view;
}

}  // namespace samebits
