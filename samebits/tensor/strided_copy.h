// Copies elements of a strided tensor into row-major order.
#pragma once

#include <cstdint>
#include <vector>

namespace samebits {

/// The sizes and strides of a tensor, reduced: dimensions of size 1 left out, neighbours that lie
/// in one run joined. Never empty. Requires a tensor that has elements.
class StridedCopy {
 public:
  /// `shape` and `strides` (in elements) as TensorView has checked them; `itemsize` in bytes.
  StridedCopy(const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& strides,
              std::uint64_t itemsize);

  /// Elements [first, first + count) in row-major order, from the tensor whose first element is at
  /// `source`, to `target`.
  void run(const std::uint8_t* source, std::uint64_t first, std::uint64_t count,
           std::uint8_t* target) const;

  struct Dimension {
    std::uint64_t size;
    std::uint64_t stride;  // in bytes
  };

 private:
  std::vector<Dimension> outer_;  // all but the last
  Dimension inner_;               // the last
  std::uint64_t itemsize_;
};

/// Turns around the bytes of each of the `count` parts of `itemsize` bytes at `data`.
void swap_bytes(std::uint8_t* data, std::uint64_t count, std::uint64_t itemsize);

}  // namespace samebits
