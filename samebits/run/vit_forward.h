// The forward pass of ViT and ViT-MAE in eval mode, step by step, under the numeric contract: the
// same weights, config, input and noise give the same bits, whatever the batch, the place in the
// batch, the number of threads and the instruction set.
//
// Order of operations as in transformers' models/vit and models/vit_mae (4.57.6 and 5.24.0 alike);
// bits as kernels/reference.h defines them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "samebits/kernels/attention.h"
#include "samebits/run/vit_weights.h"

namespace samebits {

struct NamedArray {
  std::string name;
  std::vector<std::size_t> shape;
  std::vector<float> values;
  bool is_index = false;  // ids_restore: whole numbers, which torch holds as int64
};

struct VitInput {
  std::span<const float> images;  // [batch, channels, height, width]
  std::size_t batch = 0;
  std::span<const float> noise;  // [batch, patches]; masked autoencoders only
  double mask_ratio = 0;         // 0 to below 1; masked autoencoders only
};

struct VitOutputs {
  std::vector<NamedArray> arrays;
  /// Images whose noise has two equal numbers: which tokens come first is then a convention (here
  /// the order of the patches), and torch's may be another.
  std::vector<std::size_t> tied_images;

  const NamedArray& at(std::string_view name) const;
};

/// Called at every point of the pass, in its order, with the name of the module in transformers 5
/// ("vit.layers.3"). The values are valid during the call.
using TracePoint = std::function<void(std::string_view name, std::span<const float> values,
                                      const std::vector<std::size_t>& shape)>;

/// A model that is ready to run. One caller at a time.
class VitModel {
 public:
  VitModel(VitConfig config, VitWeights weights) : config_(config), weights_(std::move(weights)) {}

  const VitConfig& config() const { return config_; }

  /// last_hidden_state, with pooler_output where there is a pooler; logits where there is a
  /// classifier; of masked autoencoders also mask and ids_restore, and with the decoder logits and
  /// loss. Requires images, and noise where it is a masked autoencoder, of the right size.
  VitOutputs forward(const Engine& engine, const VitInput& input, const TracePoint& trace = {});

 private:
  struct Pass;
  VitConfig config_;
  VitWeights weights_;
  AttentionWorkspace attention_;
};

}  // namespace samebits
