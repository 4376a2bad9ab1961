// The passes of a training step over one batch: forward to the loss of every image, and back to the
// gradient of every weight.
//
// Bits: a function of the weights, the config, the batch and its noise, the draws of dropout, and
// the length of a leaf; docs/training.md says which sums are made in which order.
#pragma once

#include <string>
#include <vector>

#include "samebits/run/vit_forward.h"
#include "samebits/train/class_step.h"
#include "samebits/train/embed_step.h"
#include "samebits/train/mae_step.h"

namespace samebits {

struct TrainBatch {
  Images images;
  std::span<const std::int64_t> labels;  // of a classifier
  std::span<const float> noise;          // [images, patches]; of a masked autoencoder
  double mask_ratio = 0;
  std::size_t global_images = 0;  // of the optimizer's step, over which the loss is a mean
  std::size_t leaf = 1;
  CpuGenerator* generator = nullptr;  // draws dropout, where the config has any
  DrawnPart part{};                   // where these images are a part of what it draws for
};

/// Called with the name of a point of the pass and its values, [rows, width].
using StepPoint =
    std::function<void(const std::string& name, std::span<const float> values, std::size_t width)>;

/// Called when the gradient of a block is whole, and its weights are not read any more in this
/// pass.
using BlockDone = std::function<void(bool decoder, std::size_t block)>;

class ModelStep {
 public:
  /// nullptr where a model of this config and these weights can be trained, or else why not.
  static const char* cannot_train(const VitModel& model);

  explicit ModelStep(VitModel& model) : model_(model) {}

  /// Whether positions of a masked autoencoder have a gradient; as made they have none.
  void learn_positions(bool learn) { learns_positions_ = learn; }

  /// Of each image: the sum of the errors of its removed patches, or its cross entropy.
  std::vector<float> forward(const Engine& engine, const TrainBatch& batch,
                             const StepPoint& point = {});
  /// Writes every array of `gradient`, which has the sizes of the weights; frozen ones stay. Where
  /// it has one block for the whole encoder, and one for the whole decoder, each block writes into
  /// that, and `done` must take it away. After forward() of the same batch.
  void back(const Engine& engine, const TrainBatch& batch, VitWeights& gradient,
            const StepPoint& point = {}, const BlockDone& done = {});

  /// What the images' losses are divided by to become the loss of the global batch: the removed
  /// patches, or the images.
  float divisor(const TrainBatch& batch) const;
  /// Draws what forward() draws for so many images.
  void skip_draws(const TrainBatch& batch, std::size_t images) const;
  /// After forward(): the first point of the pass that holds a number that is not finite; "loss"
  /// where only that is not.
  std::string first_not_finite(const TrainBatch& batch) const;
  /// Images of the last batch whose noise has two equal numbers.
  const std::vector<Masking>& maskings() const { return maskings_; }

 private:
  StepScope scope(const Engine& engine, const TrainBatch& batch);
  std::size_t rows() const { return images_ * embed_.tokens(); }

  VitModel& model_;
  StepMemory memory_;
  EmbedStep embed_;
  ClassStep class_;
  MaeStep mae_;
  std::vector<Masking> maskings_;
  AlignedFloats last_, hidden_, dx_, dhidden_;  // behind the blocks, normalized, their gradients
  std::size_t images_ = 0;
  bool learns_positions_ = false;
};

/// The loss of a global batch: the images of a leaf added in ascending order (as dot() adds), the
/// leaves by tree_sum(), and the sum divided.
float loss_of(std::span<const float> of_images, std::size_t leaf, float divisor);

}  // namespace samebits
