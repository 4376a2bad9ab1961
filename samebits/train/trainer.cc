#include "samebits/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "samebits/base/float_mode.h"
#include "samebits/rng/distributions.h"
#include "samebits/run/open_vit.h"

namespace samebits {
namespace {

std::size_t ceiling(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

DataNeeds needs_of(const TrainedModel& trained) {
  const VitConfig& config = trained.model.config();
  const auto& classifier = trained.model.weights().classifier;
  return {.channels = config.channels,
          .height = config.image_height,
          .width = config.image_width,
          .classes = classifier ? classifier->matrix.columns() : 0,
          .preprocessing = trained.preprocessing};
}

Error wrong_option(const std::string& what, const std::string& path) {
  return {.code = ErrorCode::usage, .what = what, .file = path};
}

/// The model's own masking, and what is asked for instead, which then stands in its config too.
Result<void> set_masking(const TrainRequest& request, TrainedModel* trained,
                         TrainOptions* options) {
  VitConfig config = trained->model.config();
  if (!trained->model.weights().decoder_pred) {
    if (!request.mask_ratio && !request.norm_pix_loss) return {};
    return fail(
        wrong_option("a mask ratio and norm_pix_loss are for masked autoencoders", request.model));
  }
  options->mask_ratio = request.mask_ratio.value_or(config.mask_ratio);
  options->norm_pix_loss = request.norm_pix_loss.value_or(config.norm_pix_loss);
  if (request.mask_ratio) trained->config["mask_ratio"] = *request.mask_ratio;
  if (request.norm_pix_loss) trained->config["norm_pix_loss"] = *request.norm_pix_loss;
  config.norm_pix_loss = options->norm_pix_loss;
  trained->model.configure(config);
  return {};
}

/// The values of a stored tensor.
NamedArray array_of(const std::string& name, const StoredWeight& weight, const WeightSlot& slot) {
  NamedArray array{.name = name + weight.name};
  for (const std::int64_t size : weight.shape)
    array.shape.push_back(static_cast<std::size_t>(size));
  array.values.resize(weight.count * slot.row_length());
  slot.read_rows(weight.first, weight.count, array.values.data());
  return array;
}

/// Puts points of a pass into a recording.
StepPoint recorder(StepTrace* trace, const std::string& prefix) {
  if (trace == nullptr) return {};
  return
      [trace, prefix](const std::string& name, std::span<const float> values, std::size_t width) {
        trace->arrays.push_back({.name = prefix + name,
                                 .shape = {values.size() / width, width},
                                 .values = {values.begin(), values.end()}});
      };
}

}  // namespace

Trainer::Trainer(TrainedModel trained)
    : trained_(std::make_unique<TrainedModel>(std::move(trained))),
      passes_(std::make_unique<ModelStep>(trained_->model)),
      arrays_(std::make_unique<Arrays>()) {
  arrays_->first = zeros_like(trained_->model.weights());
  arrays_->second = arrays_->first;
}

/// Where nothing needs the whole gradient, a block's is used and forgotten: it takes a third of the
/// memory that the weights and their moments take.
void Trainer::make_arrays(bool traces) {
  keeps_gradient_ = traces || state_.options.clip > 0 || state_.options.accumulate > 1;
  VitWeights& weights = trained_->model.weights();
  if (keeps_gradient_) {
    arrays_->gradient = zeros_like(weights);
    return list_slots();
  }
  VitWeights& gradient = arrays_->gradient;
  std::vector<VitBlock> encoder = std::move(weights.blocks);
  std::vector<VitBlock> decoder = std::move(weights.decoder_blocks);
  gradient = zeros_like(weights);
  gradient.blocks.assign(1, encoder.front());
  if (!decoder.empty()) gradient.decoder_blocks.assign(1, decoder.front());
  weights.blocks = std::move(encoder);
  weights.decoder_blocks = std::move(decoder);
  list_slots();
}

/// Which arrays learn, with their gradients and moments.
void Trainer::list_slots() {
  const std::vector<bool> learning = trained_->learning_slots();
  const std::vector<WeightSlot> weights = weight_slots(trained_->model.weights());
  const std::vector<WeightSlot> first = weight_slots(arrays_->first);
  const std::vector<WeightSlot> second = weight_slots(arrays_->second);
  std::map<std::string, WeightSlot> gradients;
  for (const WeightSlot& slot : weight_slots(arrays_->gradient)) gradients.emplace(slot.role, slot);
  encoder_.resize(trained_->model.weights().blocks.size());
  decoder_.resize(trained_->model.weights().decoder_blocks.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!learning[i]) continue;
    const std::string& role = weights[i].role;
    const std::size_t colon = role.find(':');
    const bool in_block = colon != std::string::npos && role[0] >= '0' && role[0] <= '9';
    const bool apart = in_block && !keeps_gradient_;
    const bool decays = state_.options.decay_all || !TrainedModel::is_norm_or_bias(weights[i]);
    const WeightSlot& gradient = gradients.at(apart ? "0" + role.substr(colon) : role);
    auto& blocks = role.find(":decoder:") != std::string::npos ? decoder_ : encoder_;
    auto& list = apart ? blocks[std::stoul(role.substr(0, colon))] : slots_;
    list.push_back({weights[i], gradient, first[i], second[i], decays});
  }
}

Result<Trainer> Trainer::start(const TrainRequest& request) {
  const FloatMode contract;
  SAMEBITS_TRY(TrainedModel trained,
               open_trained_model(request.model, request.key, request.threads));
  TrainOptions options = request.options;
  SAMEBITS_TRY_VOID(set_masking(request, &trained, &options));
  options.leaf = request.leaf.value_or(TrainOptions::usual_leaf(options.batch));
  Trainer trainer(std::move(trained));
  trainer.state_.options = options;
  trainer.generator_.manual_seed(options.seed);
  SAMEBITS_TRY_VOID(trainer.open_data());
  if (request.epochs > 0) trainer.state_.options.steps = request.epochs * trainer.steps_of_epoch();
  SAMEBITS_TRY_VOID(trainer.state_.options.check());
  trainer.make_arrays(request.traces);
  return trainer;
}

Result<Trainer> Trainer::resume(const std::string& checkpoint, const ResumeRequest& request) {
  const FloatMode contract;
  SAMEBITS_TRY(TrainState state, read_state(checkpoint));
  SAMEBITS_TRY(TrainedModel trained, open_trained_model(checkpoint, "", request.threads));
  if (request.steps && *request.steps != state.options.steps &&
      state.options.schedule != Schedule::Kind::constant) {
    return fail(wrong_option(
        fmt::format("the learning rate follows a {} over {} steps: another length is another "
                    "training",
                    schedule_name(state.options.schedule), state.options.steps),
        checkpoint));
  }
  Trainer trainer(std::move(trained));
  SAMEBITS_TRY_VOID(read_moments(
      checkpoint, &state, {*trainer.trained_, trainer.arrays_->first, trainer.arrays_->second}));
  SAMEBITS_TRY_VOID(trainer.generator_.set_state(state.noise_generator));
  trainer.state_ = state;
  TrainOptions& options = trainer.state_.options;
  options.steps = request.steps.value_or(options.steps);
  options.save_every = request.save_every.value_or(options.save_every);
  options.keep = request.keep.value_or(options.keep);
  if (!request.data.empty()) options.data = request.data;
  if (!request.validation.empty()) options.validation = request.validation;
  SAMEBITS_TRY_VOID(trainer.open_data());
  SAMEBITS_TRY_VOID(trainer.order_->resume(state.order_generator, state.epoch, state.position));
  trainer.make_arrays(request.traces);
  return trainer;
}

Result<void> Trainer::open_data() {
  const DataNeeds needs = needs_of(*trained_);
  const TrainOptions& options = state_.options;
  const auto open = [&](const std::string& path, std::string* digest,
                        std::unique_ptr<DataSet>* into) -> Result<void> {
    SAMEBITS_TRY(DataSet data, DataSet::open(path, needs));
    if (!digest->empty() && *digest != data.digest()) {
      return fail({.code = ErrorCode::inconsistent,
                   .what = "these are not the data that the training began with",
                   .file = path,
                   .expected = "XXH3 128 " + *digest,
                   .found = data.digest()});
    }
    *digest = data.digest();
    *into = std::make_unique<DataSet>(std::move(data));
    return {};
  };
  SAMEBITS_TRY_VOID(open(options.data, &state_.data_digest, &data_));
  if (!options.validation.empty())
    SAMEBITS_TRY_VOID(open(options.validation, &state_.validation_digest, &validation_));
  order_.emplace(options.seed, data_->size());
  return {};
}

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
  done.lr = options.lr * rate_factor();
  AdamwScalars scalars = adamw_scalars(options.adamw, done.lr, state_.step + 1);
  std::string spoiled;
  const auto learn = [&](const std::vector<LearningSlot>& slots) {
    const std::string role = adamw_step(engine, slots, scalars);
    if (spoiled.empty()) spoiled = role;
  };
  const BlockDone block_done = [&](bool decoder, std::size_t block) {
    learn(decoder ? decoder_[block] : encoder_[block]);
  };
  SAMEBITS_TRY(done.loss,
               run_passes(engine, images, trace, keeps_gradient_ ? BlockDone() : block_done));
  if (options.clip > 0) {
    done.gradient_norm = gradient_norm(engine, slots_);
    scalars.clips = true;
    scalars.gradient =
        static_cast<float>(std::min(1.0, options.clip / (*done.gradient_norm + 1e-6)));
  }
  std::vector<NamedArray> before;
  if (trace != nullptr) record_weights(trace, &before);
  learn(slots_);
  if (!spoiled.empty())
    return fail(not_finite("a weight is not finite any more: one of " + spoiled));
  if (trace != nullptr) record_updates(trace, before);
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

/// Gradients, and the weights before the step.
void Trainer::record_weights(StepTrace* trace, std::vector<NamedArray>* before) {
  const std::vector<WeightSlot> gradients = weight_slots(arrays_->gradient);
  const std::vector<WeightSlot> weights = weight_slots(trained_->model.weights());
  for (const StoredWeight& weight : trained_->weights) {
    if (!weight.learns) continue;
    trace->arrays.push_back(array_of("gradient.", weight, gradients[weight.slot]));
    before->push_back(array_of("update.", weight, weights[weight.slot]));
  }
}

/// What the step added to each weight, rounded.
void Trainer::record_updates(StepTrace* trace, std::vector<NamedArray>& before) {
  const std::vector<WeightSlot> weights = weight_slots(trained_->model.weights());
  std::size_t i = 0;
  for (const StoredWeight& weight : trained_->weights) {
    if (!weight.learns) continue;
    const NamedArray after = array_of("", weight, weights[weight.slot]);
    NamedArray& update = before[i++];
    for (std::size_t at = 0; at < after.values.size(); ++at)
      update.values[at] = after.values[at] - update.values[at];
    trace->arrays.push_back(std::move(update));
  }
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

}  // namespace samebits
