// Attention of every head of every image, one head at a time.
//
// Bits: those of reference::attention() for each image and head, whatever the kernels, the number
// of threads and the other images.
#pragma once

#include <cstddef>
#include <vector>

#include "samebits/kernels/linear.h"

namespace samebits {

/// q, k and v are [images * tokens, heads * width] with `stride` elements from token to token; the
/// columns of head h begin at h * width. They may be parts of one fused buffer. The output is
/// [images * queries, heads * width]: of each image's first `queries` tokens, the rest of q is not
/// read.
struct AttentionShape {
  std::size_t images = 0, tokens = 0, queries = 0, heads = 0, width = 0;
  std::size_t stride = 0;
  std::size_t out_stride = 0;
  float scale = 1;  // of the scores
  /// [images, heads, queries, tokens]: multiplied onto the softmax; nullptr: nothing is (eval
  /// mode).
  const float* dropout = nullptr;
};

/// Reused from call to call; grows as needed. One part for each thread.
class AttentionWorkspace {
 public:
  struct Part {
    AlignedFloats keys, values;  // as PackedMatrix holds them
    AlignedFloats scores, product;
  };
  std::vector<Part>& parts(int threads) {
    if (parts_.size() < static_cast<std::size_t>(threads))
      parts_.resize(static_cast<std::size_t>(threads));
    return parts_;
  }

 private:
  std::vector<Part> parts_;
};

void attention(const Engine& engine, const float* q, const float* k, const float* v,
               const AttentionShape& shape, float* out, AttentionWorkspace& workspace);

}  // namespace samebits
