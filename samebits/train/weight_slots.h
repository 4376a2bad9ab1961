// The arrays of a model's weights one by one, so that what is done to all of them (an optimizer's
// step, a sum of gradients, a file) is one loop.
//
// Gradients and moments are weights, too: the same sizes, and the same order of elements.
#pragma once

#include <string>
#include <vector>

#include "samebits/run/vit_weights.h"

namespace samebits {

struct WeightSlot {
  std::string role;  // "3:qkv.weight", the roles of model/recognize.h; query, key, value are one
  PackedMatrix* matrix = nullptr;
  std::vector<float>* vector = nullptr;  // where it is no matrix

  float* data() const { return matrix != nullptr ? matrix->tile(0) : vector->data(); }
  /// Elements in memory: of a matrix with the zeros behind its last column.
  std::size_t size() const {
    return matrix != nullptr ? matrix->tiles() * kTileColumns * matrix->depth() : vector->size();
  }
  /// Rows of a stored tensor, and their length; a vector has rows of one element.
  std::size_t rows() const { return matrix != nullptr ? matrix->columns() : vector->size(); }
  std::size_t row_length() const { return matrix != nullptr ? matrix->depth() : 1; }

  /// Where in memory element `column` of a row stands.
  std::size_t place(std::size_t row, std::size_t column) const {
    if (matrix == nullptr) return row;
    return (row / kTileColumns * matrix->depth() + column) * kTileColumns + row % kTileColumns;
  }

  /// Rows [first, first + count) as they stand in a file.
  void read_rows(std::size_t first, std::size_t count, float* out) const;
  void write_rows(std::size_t first, std::size_t count, const float* from) const;
};

/// In the order of the pass; the same for equal sizes. Points into `weights`.
std::vector<WeightSlot> weight_slots(VitWeights& weights);

/// Zeros in the sizes of `weights`.
VitWeights zeros_like(const VitWeights& weights);

}  // namespace samebits
