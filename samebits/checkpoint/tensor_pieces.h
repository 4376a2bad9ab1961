// A tensor that lies in blocks, put together in memory: what each process of a training saved of
// it.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "samebits/base/error.h"
#include "samebits/tensor/tensor.h"

namespace samebits {

class TensorPieces {
 public:
  /// Needs as many bytes as the tensor has. Errors: malformed where the shape is none.
  static Result<TensorPieces> make(DType dtype, Shape shape);

  /// Copies a block to its place, which begins at index `offsets`. A second block that begins at
  /// the same index is a replica, and passed over. Requires the tensor's type. False where the
  /// block does not lie inside of the tensor.
  bool add(const Shape& offsets, const TensorView& block);

  /// "" where every element was given once, else what is wrong, after the tensor's name.
  std::string fault() const;

  struct Whole {
    TensorView view;
    std::shared_ptr<std::vector<std::uint8_t>> bytes;  // must outlive the view
  };
  Result<Whole> finish() &&;

 private:
  DType dtype_ = DType::float32;
  Shape shape_;
  Strides strides_;
  std::uint64_t numel_ = 0;
  std::shared_ptr<std::vector<std::uint8_t>> bytes_;
  std::vector<bool> given_;  // by element
  std::uint64_t copied_ = 0;
  std::set<Shape> begins_;
};

}  // namespace samebits
