// The forward pass of ViT and ViT-MAE, step by step, under the numeric contract: the same weights,
// config, input and noise give the same bits, whatever the batch, the place in the batch, the
// number of threads and the instruction set.
//
// Order of operations as in transformers' models/vit, models/vit_mae, models/deit and
// models/dinov2 (4.57.6 and 5.24.0 alike); bits as kernels/reference.h defines them.
#pragma once

#include "samebits/run/block.h"
#include "samebits/run/pass_states.h"
#include "samebits/run/patches.h"

namespace samebits {

struct NamedArray {
  std::string name;
  std::vector<std::size_t> shape;
  std::vector<float> values;
  bool is_index = false;  // ids_restore: whole numbers, which torch holds as int64
};

struct VitInput {
  Images images;
  std::span<const float> noise;  // [images, patches]; masked autoencoders only
  double mask_ratio = 0;         // 0 to 1; masked autoencoders only
  /// Training mode: what dropout draws its masks from, as torch does on a CPU. nullptr: eval mode.
  CpuGenerator* training = nullptr;
  /// Whether last_hidden_state is wanted. Without it, the last block runs for those tokens alone
  /// that a head reads; the other outputs have the same bits. A trace has it always.
  bool hidden_state = true;
  /// Filled with what stands in front of every stage. Requires hidden_state.
  PassStates* keep = nullptr;
  /// Not nullptr: the pass starts at the stage `first_stage` from what another pass kept, which had
  /// the same batch and, in the stages before, the same bits. Requires eval mode, no trace,
  /// hidden_state.
  const PassStates* begun = nullptr;
  std::size_t first_stage = 0;
};

struct VitOutputs {
  std::vector<NamedArray> arrays;
  /// Images whose noise has two equal numbers: which tokens come first is then a convention (here
  /// the order of the patches), and torch's may be another.
  std::vector<std::size_t> tied_images;

  const NamedArray& at(std::string_view name) const;
};

/// A model that is ready to run. One caller at a time.
class VitModel {
 public:
  VitModel(VitConfig config, VitWeights weights)
      : config_(std::move(config)), weights_(std::move(weights)) {}

  const VitConfig& config() const { return config_; }
  /// For the exchange of parts; sizes must stay.
  VitWeights& weights() { return weights_; }
  const VitWeights& weights() const { return weights_; }
  /// Another config for the same weights: one that vit_config() gave for them.
  void configure(VitConfig config) { config_ = std::move(config); }

  /// Of forward(), in no order that matters.
  std::vector<std::string> output_names() const;
  /// nullptr where images of this size can be run, or else why not.
  const char* cannot_take(std::size_t height, std::size_t width) const;

  /// last_hidden_state, with pooler_output where there is a pooler; logits where there is a
  /// classifier; of masked autoencoders also mask and ids_restore, and with the decoder logits and
  /// loss. Requires images of a size that can be taken, and noise where it is a masked autoencoder.
  /// In eval mode, without a trace and without states, the memory needed beside the outputs does
  /// not grow with the batch: it is run in parts. Where memory runs out it throws std::bad_alloc,
  /// and can be called again.
  VitOutputs forward(const Engine& engine, const VitInput& input, const TracePoint& trace = {});

 private:
  class Pass;
  VitConfig config_;
  VitWeights weights_;
  Workspace work_;
};

}  // namespace samebits
