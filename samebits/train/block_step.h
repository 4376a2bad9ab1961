// One transformer block of a training step: forward, with what the way back needs kept, and back.
//
// Bits: the forward pass gives those of run_block() (run/block.h); gradients are those of
// kernels/backward_reference.h, operation by operation.
#pragma once

#include <functional>
#include <vector>

#include "samebits/kernels/attention.h"
#include "samebits/kernels/attention_gradient.h"
#include "samebits/kernels/gradients.h"
#include "samebits/rng/cpu_generator.h"
#include "samebits/run/vit_weights.h"

namespace samebits {

/// What a block's way back reads. The normalized inputs, the activations and the softmax are
/// computed once more, which costs less than memory.
struct BlockKept {
  AlignedFloats input;   // [rows, width]
  AlignedFloats qkv;     // [rows, 3 width], row_stride(3 width) apart
  AlignedFloats mixed;   // what attention gave: [rows, width], row_stride(width) apart
  AlignedFloats middle;  // behind the first residual: [rows, width]
  AlignedFloats inner;   // of the perceptron before its activation, row_stride(mlp) apart
  /// The branches before their residuals, where they are scaled; factors of dropout, where it
  /// draws; empty elsewhere.
  std::vector<float> branch1, branch2, factors1, factors2, attention_factors;
};

/// Memory of a step, kept from one to the next.
struct StepMemory {
  std::vector<BlockKept> encoder, decoder;
  AlignedFloats normal, activated, branch, dnormal, dinner, dmixed, dqkv;
  AttentionWorkspace attention;
  AttentionGradientWorkspace attention_gradient;
  GradientWorkspace gradient;
};

/// Called when the gradient of a block is whole, and its weights are not read any more in this
/// pass.
using BlockDone = std::function<void(bool decoder, std::size_t block)>;

/// Images of a pass whose random numbers are drawn for more images, in their order: for `before`
/// of them in front, and `behind` behind.
struct DrawnPart {
  std::size_t before = 0, behind = 0;
};

/// What every part of a step sees.
struct StepScope {
  const Engine& engine;
  const VitConfig& config;
  StepMemory& memory;
  CpuGenerator* generator = nullptr;  // draws the masks of dropout
  std::size_t images = 0;
  std::size_t leaf = 1;           // images of a leaf
  bool learns_positions = false;  // a gradient of the positions is wanted
  DrawnPart part{};               // where dropout draws

  /// Rows of so many tokens of every image.
  LeafRows rows(std::size_t tokens) const { return {images * tokens, leaf * tokens}; }
  /// dropout_mask() of these images, out of the one that the whole pass draws.
  void dropout(double probability, std::span<float> factors) const;
};

/// Elements of all masks that one image draws. `tokens`: of the encoder, and of the decoder.
std::size_t dropout_elements(const VitConfig& config, std::size_t tokens,
                             std::size_t decoder_tokens);

/// One block on one batch. `kept.input` holds its input.
class BlockStep {
 public:
  BlockStep(const StepScope& scope, const VitBlock& block, const VitStack& stack,
            std::size_t tokens, BlockKept& kept);

  /// `out` [rows, width] becomes the block's output.
  void forward(float* out);
  /// `dy` [rows, width], the gradient of the output, becomes that of the input; `gradient` is
  /// written.
  void back(float* dy, VitBlock& gradient);

 private:
  AttentionShape attention_shape();
  void add_branch(const LinearWeights& layer, RowsOf from, const std::vector<float>& scale,
                  std::vector<float>& branch, std::vector<float>& factors, float* x);
  RowsOf branch_back(const float* dy, const std::vector<float>& scale,
                     const std::vector<float>& branch, const std::vector<float>& factors,
                     std::vector<float>& dscale);
  void linear_back(RowsOf dy, RowsOf x, LinearWeights& gradient);
  void perceptron_back(float* dy, VitBlock& gradient);
  void attention_back(float* dy, VitBlock& gradient);

  const StepScope& scope_;
  const VitBlock& block_;
  const VitStack& stack_;
  BlockKept& kept_;
  std::size_t tokens_, rows_;
  std::size_t stride_, fused_, inner_;  // from row to row: of width, of qkv, of the perceptron
};

}  // namespace samebits
