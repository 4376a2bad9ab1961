#include "samebits/train/trainer.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "samebits/base/exceptions.h"
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
    const std::string role =
        sharded_ ? sharded_->step(engine, of_groups) : adamw_step(engine, slots, of_groups);
    if (spoiled.empty()) spoiled = role;
  };
  const BlockDone block_done = [&](bool decoder, std::size_t block) {
    learn(decoder ? decoder_[block] : encoder_[block]);
  };
  SAMEBITS_TRY(done.loss,
               run_passes(engine, images, trace, keeps_gradient_ ? BlockDone() : block_done));
  if (options.clip > 0) {
    SAMEBITS_TRY(done.gradient_norm, clip(engine, &of_groups));
  }
  std::vector<NamedArray> before;
  if (trace != nullptr) before = record_gradients(*trained_, arrays_->gradient, trace);
  learn(slots_);
  Result<void> finite;
  if (!spoiled.empty())
    finite = fail(not_finite("a weight is not finite any more: one of " + spoiled));
  SAMEBITS_TRY_VOID(agree(*group_, finite));
  if (sharded_) SAMEBITS_TRY_VOID(sharded_->share_weights());
  if (trace != nullptr) record_updates(*trained_, std::move(before), trace);
  ++state_.step;
  state_.epoch = order_->epoch();
  state_.position = order_->position();
  done.ends_epoch = order_->left() == 0;
  return done;
}

/// The norm of the gradient; the scalars bring it down to what it may be.
Result<double> Trainer::clip(const Engine& engine, std::vector<AdamwScalars>* of_groups) {
  double norm = 0;
  if (sharded_) {
    SAMEBITS_TRY(norm, sharded_->norm(engine));
  } else {
    norm = gradient_norm(engine, slots_);
  }
  for (AdamwScalars& each : *of_groups) {
    each.clips = true;
    each.gradient = static_cast<float>(std::min(1.0, state_.options.clip / (norm + 1e-6)));
  }
  return norm;
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

/// What one batch adds to the loss: of a masked autoencoder one number, else one of each image.
Result<void> Trainer::validate_batch(const Engine& engine, std::size_t first, std::size_t count,
                                     std::span<const float> noise, std::vector<double>* terms) {
  const VitConfig& config = trained_->model.config();
  const std::size_t size = config.channels * config.image_height * config.image_width;
  std::vector<float> images(count * size);
  for (std::size_t i = 0; i < count; ++i)
    SAMEBITS_TRY_VOID(validation_->read(first + i, images.data() + i * size));
  const VitInput input{.images = {images, count, config.image_height, config.image_width},
                       .noise = noise,
                       .mask_ratio = state_.options.mask_ratio,
                       .hidden_state = false};
  const VitOutputs outputs = trained_->model.forward(engine, input);
  if (config.masked) {
    terms->push_back(static_cast<double>(outputs.at("loss").values[0]) *
                     static_cast<double>(count));
    return {};
  }
  const NamedArray& logits = outputs.at("logits");
  std::vector<float> gradient(logits.shape[1]);
  for (std::size_t i = 0; i < count; ++i)
    terms->push_back(static_cast<double>(
        cross_entropy(std::span(logits.values).subspan(i * gradient.size(), gradient.size()),
                      static_cast<std::size_t>(validation_->label(first + i)), 1, gradient)));
  return {};
}

/// Of the batches of this rank: every size()-th.
Result<std::vector<double>> Trainer::validation_terms(const Engine& engine) {
  const VitConfig& config = trained_->model.config();
  CpuGenerator generator(state_.options.seed);
  std::vector<double> terms;
  const std::size_t most = state_.options.batch;
  for (std::size_t batch = 0; batch * most < validation_->size(); ++batch) {
    const std::size_t count = std::min(most, validation_->size() - batch * most);
    std::vector<float> noise(config.masked ? count * config.patches() : 0);
    uniform(generator, 0, 1, std::span<float>(noise));
    if (batch % group_->size() == group_->rank())
      SAMEBITS_TRY_VOID(validate_batch(engine, batch * most, count, noise, &terms));
  }
  return terms;
}

Result<float> Trainer::validate(const Engine& engine) {
  const FloatMode contract;
  SAMEBITS_TRY(
      const auto shared,
      share_numbers<double>(*group_, caught("", [&] { return validation_terms(engine); })));
  std::vector<std::size_t> taken(group_->size(), 0);
  double total = 0;
  const std::size_t most = state_.options.batch;
  for (std::size_t batch = 0; batch * most < validation_->size(); ++batch) {
    const std::size_t rank = batch % group_->size();
    const std::size_t count =
        trained_->model.config().masked ? 1 : std::min(most, validation_->size() - batch * most);
    for (std::size_t i = 0; i < count; ++i) total += shared[rank][taken[rank]++];
  }
  return static_cast<float>(total / static_cast<double>(validation_->size()));
}

std::string Trainer::beginning() const {
  const Json all = {options_json(state_.options), state_.step, state_.data_digest,
                    state_.validation_digest, state_.begun_digest};
  return all.dump();
}

Result<void> Trainer::collect() { return sharded_ ? sharded_->collect_moments() : Result<void>(); }

Learning Trainer::learning() {
  return {*trained_, trained_->model.weights(), arrays_->first, arrays_->second};
}

TrainState Trainer::state_of_now() const {
  TrainState state = state_;
  state.noise_generator = generator_.state();
  state.order_generator = order_->epoch_state();
  return state;
}

Result<void> Trainer::write(const std::string& directory) {
  return write_checkpoint(directory, state_of_now(), learning());
}

void Trainer::copy_to(TrainingCopy* copy) const {
  copy->state = state_of_now();
  copy->weights = trained_->model.weights();
  copy->first = arrays_->first;
  copy->second = arrays_->second;
}

Result<void> Trainer::write(const std::string& directory, TrainingCopy& copy) const {
  return write_checkpoint(directory, copy.state,
                          {*trained_, copy.weights, copy.first, copy.second});
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
