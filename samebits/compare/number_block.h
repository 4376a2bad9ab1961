// A run of a tensor's elements as doubles.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "samebits/compare/stats_loops.h"
#include "samebits/tensor/tensor.h"

namespace samebits {

/// The real type that an element is made of: float32 for complex64, else the type itself.
DType component_type(DType type);
/// How many of them a tensor has.
std::uint64_t component_count(const TensorView& view);

/// How the loops know a component_type() that has_element_values(), and what its codes mean where
/// it has one byte (null for others).
Stored stored_as(DType type);
const CodeTable* code_table(DType type);

/// Loads runs of one tensor, reusing its memory.
class NumberBlock {
 public:
  NumberBlock() = default;
  NumberBlock(const NumberBlock&) = delete;  // its views may be of its own memory
  NumberBlock& operator=(const NumberBlock&) = delete;

  /// Components [first, first + count), as numbers and as they are stored. Both are valid until
  /// the next call. Requires has_element_values(component_type(view.dtype())); for complex types
  /// even `first` and `count`.
  void load(const TensorView& view, std::uint64_t first, std::uint64_t count);
  std::span<const double> numbers() const { return numbers_; }
  /// The numbers, to be changed in place.
  std::span<double> numbers() { return numbers_; }
  Bytes raw() const { return raw_; }

 private:
  std::vector<std::uint8_t> buffer_;
  std::vector<double> numbers_;
  Bytes raw_;
};

/// Calls use(number) for every element, in row-major order. Requires has_element_values() of the
/// view's type.
template <class Use>
void for_each_number(const TensorView& view, Use use) {
  constexpr std::uint64_t kBlock = 1 << 16;
  NumberBlock block;
  for (std::uint64_t first = 0; first < view.numel(); first += kBlock) {
    block.load(view, first, std::min(kBlock, view.numel() - first));
    for (const double number : std::as_const(block).numbers()) use(number);
  }
}

}  // namespace samebits
