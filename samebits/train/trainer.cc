#include "samebits/train/trainer.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "samebits/base/float_mode.h"
#include "samebits/rng/distributions.h"
#include "samebits/run/open_vit.h"

namespace samebits {
namespace {

std::size_t ceiling(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

}  // namespace

std::size_t Trainer::steps_of_epoch() const {
  const TrainOptions& options = state_.options;
  return ceiling(data_->size(), options.batch * options.accumulate);
}

Error Trainer::not_finite(const std::string& what) const {
  return {.code = ErrorCode::inconsistent,
          .what = fmt::format("step {}: {}", state_.step + 1, what),
          .hint = "The training ends here, and nothing of this step is saved"};
}

Result<void> Trainer::read_batch(std::span<const std::int64_t> samples) {
  const VitConfig& config = trained_->model.config();
  const std::size_t size = config.channels * config.image_height * config.image_width;
  images_.resize(samples.size() * size);
  labels_.resize(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto sample = static_cast<std::size_t>(samples[i]);
    SAMEBITS_TRY_VOID(data_->read(sample, images_.data() + i * size));
    labels_[i] = data_->has_labels() ? data_->label(sample) : 0;
  }
  if (config.masked) {
    noise_.resize(samples.size() * config.patches());
    uniform(generator_, 0, 1, std::span<float>(noise_));
  }
  return {};
}

TrainBatch Trainer::batch(std::size_t images, std::size_t global_images) {
  const VitConfig& config = trained_->model.config();
  return {.images = {images_, images, config.image_height, config.image_width},
          .labels = labels_,
          .noise = noise_,
          .mask_ratio = state_.options.mask_ratio,
          .global_images = global_images,
          .leaf = state_.options.leaf,
          .generator = &generator_};
}

/// The passes' sums are leaves of the tree once more: of equal subtrees that stand side by side two
/// become one. `passes` are done.
void Trainer::add_subtree(const Engine& engine, std::size_t passes, VitWeights& sum) {
  waiting_.push_back(sum);
  const auto join = [&] {
    add_weights(engine, waiting_.back(), waiting_[waiting_.size() - 2]);
    waiting_.pop_back();
  };
  for (std::size_t full = passes - 1; full % 2 == 1; full /= 2) join();
}

/// One pass over the next `count` images of the step: the loss of each. Its gradient is in arrays_.
Result<std::vector<float>> Trainer::run_pass(const Engine& engine, std::size_t count,
                                             std::size_t images, const std::string& number,
                                             StepTrace* trace, const BlockDone& block_done) {
  SAMEBITS_TRY_VOID(read_batch(order_->take(count)));
  const TrainBatch some = batch(count, images);
  if (trace != nullptr) {
    const VitConfig& config = trained_->model.config();
    trace->arrays.push_back({number + "images",
                             {count, config.channels, config.image_height, config.image_width},
                             images_});
    if (config.masked)
      trace->arrays.push_back({number + "noise", {count, config.patches()}, noise_});
  }
  std::vector<float> losses =
      passes_->forward(engine, some, recorder(trace, number + "activation."));
  divisor_ = passes_->divisor(some);
  if (!std::isfinite(loss_of(losses, state_.options.leaf, divisor_)))
    return fail(not_finite("the loss is not finite; the first numbers that are not are in " +
                           passes_->first_not_finite(some)));
  passes_->back(engine, some, arrays_->gradient, recorder(trace, number + "activation_gradient."),
                block_done);
  return losses;
}

/// Forward and back over the next images of the epoch; the loss. The gradient is in arrays_.
Result<float> Trainer::run_passes(const Engine& engine, std::size_t images, StepTrace* trace,
                                  const BlockDone& block_done) {
  std::vector<float> losses;
  const std::size_t most = state_.options.batch;
  const std::size_t passes = ceiling(images, most);
  waiting_.clear();
  for (std::size_t pass = 0; pass < passes; ++pass) {
    const std::string number = passes == 1 ? "" : std::to_string(pass) + ".";
    SAMEBITS_TRY(
        const std::vector<float> more,
        run_pass(engine, std::min(most, images - pass * most), images, number, trace, block_done));
    losses.insert(losses.end(), more.begin(), more.end());
    if (passes > 1) add_subtree(engine, pass + 1, arrays_->gradient);
  }
  if (passes > 1) take_sum(engine);
  return loss_of(losses, state_.options.leaf, divisor_);
}

/// The sum of all passes becomes the gradient that the optimizer reads.
void Trainer::take_sum(const Engine& engine) {
  while (waiting_.size() > 1) {
    add_weights(engine, waiting_.back(), waiting_[waiting_.size() - 2]);
    waiting_.pop_back();
  }
  const std::vector<WeightSlot> sums = weight_slots(waiting_.front());
  const std::vector<WeightSlot> gradients = weight_slots(arrays_->gradient);
  for (std::size_t i = 0; i < sums.size(); ++i)
    std::copy_n(sums[i].data(), sums[i].size(), gradients[i].data());
  waiting_.clear();
}

Result<StepDone> Trainer::step(const Engine& engine, StepTrace* trace) {
  const FloatMode contract;
  const TrainOptions& options = state_.options;
  SAMEBITS_CHECK(!finished() && (trace == nullptr || keeps_gradient_));
  if (order_->left() == 0) order_->next_epoch();
  const std::size_t images = std::min(options.batch * options.accumulate, order_->left());
  StepDone done{.step = state_.step + 1, .epoch = order_->epoch(), .images = images};
  done.lr = groups_[0].lr * rate_factor();
  std::vector<AdamwScalars> of_groups = scalars();
  std::string spoiled;
  const auto learn = [&](const std::vector<LearningSlot>& slots) {
    const std::string role = adamw_step(engine, slots, of_groups);
    if (spoiled.empty()) spoiled = role;
  };
  const BlockDone block_done = [&](bool decoder, std::size_t block) {
    learn(decoder ? decoder_[block] : encoder_[block]);
  };
  SAMEBITS_TRY(done.loss,
               run_passes(engine, images, trace, keeps_gradient_ ? BlockDone() : block_done));
  if (options.clip > 0) {
    done.gradient_norm = gradient_norm(engine, slots_);
    for (AdamwScalars& each : of_groups) {
      each.clips = true;
      each.gradient =
          static_cast<float>(std::min(1.0, options.clip / (*done.gradient_norm + 1e-6)));
    }
  }
  std::vector<NamedArray> before;
  if (trace != nullptr) before = record_gradients(*trained_, arrays_->gradient, trace);
  learn(slots_);
  if (!spoiled.empty())
    return fail(not_finite("a weight is not finite any more: one of " + spoiled));
  if (trace != nullptr) record_updates(*trained_, std::move(before), trace);
  ++state_.step;
  state_.epoch = order_->epoch();
  state_.position = order_->position();
  done.ends_epoch = order_->left() == 0;
  return done;
}

double Trainer::rate_factor() const {
  const TrainOptions& options = state_.options;
  return Schedule{options.schedule, options.warmup, options.steps}.factor(state_.step);
}

std::vector<AdamwScalars> Trainer::scalars() const {
  std::vector<AdamwScalars> all;
  for (const LearningGroup& group : groups_) {
    const auto step = static_cast<std::int64_t>(state_.step) + group.steps_before + 1;
    all.push_back(
        adamw_scalars(group.adamw, group.lr * rate_factor(), static_cast<std::uint64_t>(step)));
  }
  return all;
}

Result<float> Trainer::validate(const Engine& engine) {
  const FloatMode contract;
  const VitConfig& config = trained_->model.config();
  const std::size_t size = config.channels * config.image_height * config.image_width;
  CpuGenerator generator(state_.options.seed);
  double total = 0;
  for (std::size_t first = 0; first < validation_->size(); first += state_.options.batch) {
    const std::size_t count = std::min(state_.options.batch, validation_->size() - first);
    std::vector<float> images(count * size);
    for (std::size_t i = 0; i < count; ++i)
      SAMEBITS_TRY_VOID(validation_->read(first + i, images.data() + i * size));
    VitInput input{.images = {images, count, config.image_height, config.image_width},
                   .mask_ratio = state_.options.mask_ratio,
                   .hidden_state = false};
    std::vector<float> noise(config.masked ? count * config.patches() : 0);
    uniform(generator, 0, 1, std::span<float>(noise));
    input.noise = noise;
    const VitOutputs outputs = trained_->model.forward(engine, input);
    if (config.masked) {
      total += static_cast<double>(outputs.at("loss").values[0]) * static_cast<double>(count);
      continue;
    }
    const NamedArray& logits = outputs.at("logits");
    std::vector<float> gradient(logits.shape[1]);
    for (std::size_t i = 0; i < count; ++i)
      total += static_cast<double>(
          cross_entropy(std::span(logits.values).subspan(i * gradient.size(), gradient.size()),
                        static_cast<std::size_t>(validation_->label(first + i)), 1, gradient));
  }
  return static_cast<float>(total / static_cast<double>(validation_->size()));
}

Result<void> Trainer::write(const std::string& directory) {
  state_.noise_generator = generator_.state();
  state_.order_generator = order_->epoch_state();
  return write_checkpoint(directory, state_, {*trained_, arrays_->first, arrays_->second});
}

Result<void> Trainer::write_export(ExportFormat format, const std::string& path) {
  return export_training({.trained = *trained_,
                          .first = arrays_->first,
                          .second = arrays_->second,
                          .state = state_,
                          .groups = groups_,
                          .samples = data_->size()},
                         format, path);
}

}  // namespace samebits
