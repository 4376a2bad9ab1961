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

/// The pass's sum is a node of the tree. Of two halves that stand side by side one becomes.
void Trainer::add_sum(const StepRun& run, const LeafRange& node) {
  sums_.push_back({node, arrays_->gradient});
  while (sums_.size() > 1) {
    PartialSum& left = sums_[sums_.size() - 2];
    PartialSum& right = sums_.back();
    if (!are_halves(run.leaves(), left.node, right.node)) return;
    add_weights(run.engine, right.gradient, left.gradient);
    left.node.last = right.node.last;
    sums_.pop_back();
  }
}

/// The sum of all passes becomes the gradient that the optimizer reads.
void Trainer::take_sum() {
  const std::vector<WeightSlot> sums = weight_slots(sums_.front().gradient);
  const std::vector<WeightSlot> gradients = weight_slots(arrays_->gradient);
  for (std::size_t i = 0; i < sums.size(); ++i)
    std::copy_n(sums[i].data(), sums[i].size(), gradients[i].data());
  sums_.clear();
}

/// One pass over the images in images_: the loss of each. Its gradient is in arrays_.
Result<std::vector<float>> Trainer::run_node(StepRun& run, const TrainBatch& some,
                                             const LeafRange& node) {
  const std::size_t count = some.images.count;
  const std::string number = run.whole(node) ? "" : std::to_string(run.done) + ".";
  ++run.done;
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
    if (sharded_ || !run.whole(node)) add_sum(run, node);
  }
  if (nodes.empty()) passes_->skip_draws(some, images);
  return losses;
}

/// The losses of this rank's images; the sums of their gradients are in sums_, or, where one pass
/// is the whole step, in arrays_.
Result<std::vector<float>> Trainer::own_passes(StepRun& run) {
  std::vector<float> losses;
  sums_.clear();
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
  if (sharded_) {
    SAMEBITS_TRY_VOID(sharded_->sum(engine, run.leaves(), sums_));
  } else if (!sums_.empty()) {
    take_sum();
  }
  std::vector<float> losses;
  for (const std::vector<float>& each : shared)
    losses.insert(losses.end(), each.begin(), each.end());
  return loss_of(
      losses, run.leaf,
      passes_->divisor({.mask_ratio = state_.options.mask_ratio, .global_images = images}));
}

}  // namespace samebits
