// The passes of a step: which images a rank runs, and how their gradients become one.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "samebits/base/exceptions.h"
#include "samebits/rng/distributions.h"
#include "samebits/train/trainer.h"

namespace samebits {
namespace {

std::size_t leaves_of(std::size_t images, std::size_t leaf) { return (images + leaf - 1) / leaf; }

}  // namespace

/// One step on this rank.
struct Trainer::StepRun {
  const Engine& engine;
  std::size_t images, leaf;  // of the whole step
  StepTrace* trace;
  const BlockDone& block_done;
  std::size_t done = 0;  // passes
  LeafRange last{};      // of the last of them

  std::size_t leaves() const { return leaves_of(images, leaf); }
  bool whole(const LeafRange& node) const { return node == LeafRange{0, leaves()}; }
};

Result<void> Trainer::read_images(std::span<const std::int64_t> samples) {
  const VitConfig& config = trained_->model.config();
  const std::size_t size = config.channels * config.image_height * config.image_width;
  images_.resize(samples.size() * size);
  labels_.resize(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto sample = static_cast<std::size_t>(samples[i]);
    SAMEBITS_TRY_VOID(data_->read(sample, images_.data() + i * size));
    labels_[i] = data_->has_labels() ? data_->label(sample) : 0;
  }
  return {};
}

void Trainer::draw_noise(std::size_t images) {
  const VitConfig& config = trained_->model.config();
  if (!config.masked) return;
  noise_.resize(images * config.patches());
  uniform(generator_, 0, 1, std::span<float>(noise_));
}

/// The sum of the last pass leaves arrays_, where the next one comes. It is a node of the tree: of
/// two halves that stand side by side one becomes.
void Trainer::put_aside(const StepRun& run) {
  if (waiting_ == sums_.size()) sums_.emplace_back(LeafRange(), std::make_unique<VitWeights>());
  sums_[waiting_].first = run.last;
  *sums_[waiting_++].second = arrays_->gradient;
  while (waiting_ > 1) {
    auto& [left, left_sum] = sums_[waiting_ - 2];
    const auto& [right, right_sum] = sums_[waiting_ - 1];
    if (!are_halves(run.leaves(), left, right)) return;
    add_weights(run.engine, *right_sum, *left_sum);
    left.last = right.last;
    --waiting_;
  }
}

/// The sum of all passes, of all ranks, becomes the gradient that the optimizer reads.
Result<void> Trainer::take_sum(const StepRun& run) {
  if (waiting_ > 0) put_aside(run);
  if (sharded_) {
    std::vector<PartialSum> sums;
    for (std::size_t i = 0; i < waiting_; ++i)
      sums.push_back({sums_[i].first, sums_[i].second.get()});
    if (waiting_ == 0 && run.done > 0) sums.push_back({run.last, &arrays_->gradient});
    return sharded_->sum(run.engine, run.leaves(), sums);
  }
  if (waiting_ == 0) return {};
  const std::vector<WeightSlot> sums = weight_slots(*sums_.front().second);
  const std::vector<WeightSlot> gradients = weight_slots(arrays_->gradient);
  for (std::size_t i = 0; i < sums.size(); ++i)
    std::copy_n(sums[i].data(), sums[i].size(), gradients[i].data());
  return {};
}

/// One pass over the images in images_: the loss of each. Its gradient is in arrays_.
Result<std::vector<float>> Trainer::run_node(StepRun& run, const TrainBatch& some,
                                             const LeafRange& node) {
  const std::size_t count = some.images.count;
  const std::string number = run.whole(node) ? "" : std::to_string(run.done) + ".";
  if (run.done++ > 0) put_aside(run);
  run.last = node;
  if (run.trace != nullptr) {
    const VitConfig& config = trained_->model.config();
    run.trace->arrays.push_back({number + "images",
                                 {count, config.channels, config.image_height, config.image_width},
                                 images_});
    if (config.masked)
      run.trace->arrays.push_back(
          {number + "noise", {count, config.patches()}, {some.noise.begin(), some.noise.end()}});
  }
  std::vector<float> losses =
      passes_->forward(run.engine, some, recorder(run.trace, number + "activation."));
  if (!std::isfinite(loss_of(losses, run.leaf, passes_->divisor(some))))
    return fail(not_finite("the loss is not finite; the first numbers that are not are in " +
                           passes_->first_not_finite(some)));
  passes_->back(run.engine, some, arrays_->gradient,
                recorder(run.trace, number + "activation_gradient."), run.block_done);
  return losses;
}

/// Of the `images` images from `first` on, which are one pass, those of this rank. Random numbers
/// are drawn for all.
Result<std::vector<float>> Trainer::run_nodes(StepRun& run, std::size_t first, std::size_t images) {
  const VitConfig& config = trained_->model.config();
  const std::span<const std::int64_t> samples = order_->take(images);
  draw_noise(images);
  const CpuGenerator before = generator_;
  const LeafRange mine = common(leaves_of_rank(run.leaves(), group_->rank(), group_->size()),
                                {first / run.leaf, leaves_of(first + images, run.leaf)});
  TrainBatch some{.mask_ratio = state_.options.mask_ratio,
                  .global_images = run.images,
                  .leaf = run.leaf,
                  .generator = &generator_};
  std::vector<float> losses;
  const std::vector<LeafRange> nodes = nodes_inside(run.leaves(), mine);
  for (const LeafRange& node : nodes) {
    const std::size_t begin = node.first * run.leaf - first;
    const std::size_t count = std::min(node.last * run.leaf, first + images) - first - begin;
    SAMEBITS_TRY_VOID(read_images(samples.subspan(begin, count)));
    some.images = {images_, count, config.image_height, config.image_width};
    some.labels = labels_;
    if (config.masked)
      some.noise = std::span(noise_).subspan(begin * config.patches(), count * config.patches());
    some.part = {begin, images - begin - count};
    generator_ = before;
    SAMEBITS_TRY(const std::vector<float> more, run_node(run, some, node));
    losses.insert(losses.end(), more.begin(), more.end());
  }
  if (nodes.empty()) passes_->skip_draws(some, images);
  return losses;
}

/// The losses of this rank's images. The gradient of the last pass is in arrays_, the sums of those
/// before it in sums_.
Result<std::vector<float>> Trainer::own_passes(StepRun& run) {
  std::vector<float> losses;
  waiting_ = 0;
  for (std::size_t first = 0; first < run.images; first += state_.options.batch) {
    const std::size_t images = std::min(state_.options.batch, run.images - first);
    SAMEBITS_TRY(const std::vector<float> more, run_nodes(run, first, images));
    losses.insert(losses.end(), more.begin(), more.end());
  }
  return losses;
}

/// Forward and back over the next images of the epoch; the loss. The gradient, of what this rank's
/// optimizer moves, is in arrays_.
Result<float> Trainer::run_passes(const Engine& engine, std::size_t images, StepTrace* trace,
                                  const BlockDone& block_done) {
  StepRun run{engine, images, state_.options.leaf, trace, block_done};
  SAMEBITS_TRY(const auto shared,
               share_numbers<float>(*group_, caught("", [&] { return own_passes(run); })));
  SAMEBITS_TRY_VOID(take_sum(run));
  std::vector<float> losses;
  for (const std::vector<float>& each : shared)
    losses.insert(losses.end(), each.begin(), each.end());
  return loss_of(
      losses, run.leaf,
      passes_->divisor({.mask_ratio = state_.options.mask_ratio, .global_images = images}));
}

}  // namespace samebits
