// The gradient of attention, one head of one image at a time. Scores and softmax are computed once
// more: to keep them would take more memory than all else.
//
// Bits: those of reference::attention_gradient() for each image and head, whatever the kernels, the
// number of threads and the other images.
#pragma once

#include "samebits/kernels/attention.h"
#include "samebits/kernels/gradients.h"

namespace samebits {

/// Reused from call to call; grows as needed. One part for each thread.
class AttentionGradientWorkspace {
 public:
  struct Part {
    AlignedFloats query_columns, key_rows, key_columns, value_rows, out_columns;  // packed
    AlignedFloats p, dp, turned, product;
  };
  std::vector<Part>& parts(int threads) {
    if (parts_.size() < static_cast<std::size_t>(threads))
      parts_.resize(static_cast<std::size_t>(threads));
    return parts_;
  }

 private:
  std::vector<Part> parts_;
};

/// q, k, v and `shape` are those of attention(), with all queries; dout is the gradient of its
/// output, [images * tokens, heads * width] with shape.out_stride. dq, dk and dv have the layout of
/// q, k and v, and may not be them.
struct AttentionBack {
  const float *q = nullptr, *k = nullptr, *v = nullptr, *dout = nullptr;
  float *dq = nullptr, *dk = nullptr, *dv = nullptr;
};
void attention_gradient(const Engine& engine, const AttentionBack& back,
                        const AttentionShape& shape, AttentionGradientWorkspace& workspace);

}  // namespace samebits
