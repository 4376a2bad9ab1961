// A transformer block: attention and a perceptron, each behind a layer norm and beside a residual.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "samebits/kernels/attention.h"
#include "samebits/rng/cpu_generator.h"
#include "samebits/run/vit_weights.h"

namespace samebits {

/// Called at every point of a pass, in its order, with the name of the module in transformers 5
/// ("vit.layers.3.attention"). The values are valid during the call.
using TracePoint = std::function<void(std::string_view name, std::span<const float> values,
                                      const std::vector<std::size_t>& shape)>;

/// Memory of a pass, kept from one to the next.
struct Workspace {
  AlignedFloats rows, x, normal, qkv, mixed, inner, branch, factors;
  AttentionWorkspace attention;
};

/// What every step of a pass sees.
struct Step {
  const Engine& engine;
  const VitConfig& config;
  const TracePoint& trace;  // may be empty
  CpuGenerator* training;   // draws the masks of dropout; nullptr: eval mode
  Workspace& work;
  std::size_t images = 0;

  /// Reports `values` [images, tokens, width], whose rows are `stride` apart.
  void note(std::string_view name, const float* values, std::size_t tokens, std::size_t width,
            std::size_t stride) const;
  /// Dropout of x [count] in training mode.
  void drop(double probability, float* x, std::size_t count) const;
};

/// What a layer makes of its product where this activation stands behind it.
Epilogue epilogue_of(Activation activation);

/// x [images * tokens, stack.width] becomes the block's output [images * kept, stack.width]: that
/// of each image's first `kept` tokens. `name` is the block's module. Requires, with a trace and in
/// training mode, kept == tokens.
void run_block(const Step& step, const VitBlock& block, const VitStack& stack, std::size_t tokens,
               std::size_t kept, const std::string& name, float* x);

}  // namespace samebits
