// A tensor as a view of bytes in a file: dtype, shape and strides over a storage.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"
#include "samebits/tensor/dtype.h"

namespace samebits {

using Shape = std::vector<std::int64_t>;    // sizes, all >= 0
using Strides = std::vector<std::int64_t>;  // in elements, as torch counts; all >= 0

/// Product of the sizes, or `limit` where it does not fit in 63 bits.
Result<std::uint64_t> element_count(const Shape& shape);
/// Row-major strides of `shape`, as torch gives them to a contiguous tensor. Where an empty
/// tensor's other sizes overflow, the strides stop at the largest number.
Strides contiguous_strides(const Shape& shape);
/// "[2, 3]"; "[]" for a scalar.
std::string shape_text(const Shape& shape);

/// Borrows `storage`, which must outlive it (usually a MappedFile that the Checkpoint holds).
/// Invariant, established by make(): every element lies inside `storage`.
class TensorView {
 public:
  /// A float32 tensor without elements.
  TensorView() = default;

  /// Checks everything: sizes and strides not negative, at most kLimits.dimensions, no overflow,
  /// the last element inside the storage. `offset` counts elements from the storage's start. A
  /// tensor without elements may lie anywhere. Errors: malformed, limit, truncated (the view
  /// reaches past its storage). The caller adds file and name.
  /// Strides that repeat elements (torch's expand) are legal; how many bytes the tensors of a file
  /// may describe together is for its reader to say (kLimits.described_bytes).
  /// `big_endian` is ignored where the order of bytes has no meaning (one-byte types).
  static Result<TensorView> make(DType dtype, Shape shape, Strides strides, std::uint64_t offset,
                                 Bytes storage, bool big_endian = false);

  /// Type and shape of a tensor whose values are nowhere (torch's meta device). Reading elements of
  /// it is a mistake of the caller. Errors: malformed, limit.
  static Result<TensorView> valueless(DType dtype, Shape shape);

  /// The same elements, of which torch reads the conjugates, or the negatives, or both (its
  /// conjugate and negative bits): they are turned as they are read. Errors: malformed for the
  /// conjugate of a real type, unsupported for the negative of a type that torch does not negate.
  Result<TensorView> with_signs(bool conjugated, bool negated) const;
  /// Other elements of the same storage, read in the same way. Errors: those of make().
  Result<TensorView> over(Shape shape, Strides strides, std::uint64_t offset) const;

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  const Strides& strides() const { return strides_; }
  std::uint64_t numel() const { return numel_; }
  std::uint64_t nbytes() const { return numel_ * itemsize(dtype_); }
  /// Bytes from the storage's start to the first element.
  std::uint64_t byte_offset() const { return byte_offset_; }
  Bytes storage() const { return storage_; }
  bool big_endian() const { return big_endian_; }
  bool conjugated() const { return conjugated_; }
  bool negated() const { return negated_; }

  /// Row-major, little-endian bytes of the elements where they already lie so in the storage.
  bool is_plain() const { return contiguous_ && !big_endian_ && !conjugated_ && !negated_; }
  /// Those bytes without a copy. Requires is_plain().
  Bytes plain_bytes() const;
  /// The same bytes in any case: borrowed where is_plain(), else written into `buffer` (nbytes()
  /// of it).
  Bytes row_major_bytes(std::vector<std::uint8_t>& buffer) const;
  /// Elements [first, first + count) in row-major order as little-endian bytes, without
  /// materializing the rest. Requires first + count <= numel().
  Bytes row_major_range(std::uint64_t first, std::uint64_t count,
                        std::vector<std::uint8_t>& buffer) const;

  /// The same storage seen otherwise; for tests and for compare's transposes. Requires matching
  /// sizes.
  TensorView transposed(int dim0, int dim1) const;

 private:
  DType dtype_ = DType::float32;
  Shape shape_{0};
  Strides strides_{1};
  std::uint64_t numel_ = 0;
  std::uint64_t byte_offset_ = 0;
  Bytes storage_;
  bool contiguous_ = true;
  bool big_endian_ = false;
  bool conjugated_ = false, negated_ = false;
};

}  // namespace samebits
