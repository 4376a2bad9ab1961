// How a training begins: from a model, from a model with PyTorch's optimizer, or from a checkpoint.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "samebits/base/float_mode.h"
#include "samebits/base/mapped_file.h"
#include "samebits/checkpoint/open.h"
#include "samebits/run/run_request.h"
#include "samebits/train/initial_model.h"
#include "samebits/train/trainer.h"

namespace samebits {
namespace {

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

/// preprocessor_config.json beside a config that was given for a model without one; null where
/// there is none.
Result<Json> preprocessing_beside(const std::string& config_path) {
  namespace fs = std::filesystem;
  const std::string path =
      (fs::path(config_path).parent_path() / "preprocessor_config.json").string();
  std::error_code error;
  if (config_path.empty() || !fs::exists(path, error)) return Json();
  SAMEBITS_TRY(const auto file, MappedFile::open(path));
  return parse_json(file->bytes(), path);
}

std::string config_file(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error) ? path + "/config.json" : path;
}

/// The model that a training begins with; of a config alone a new one.
Result<Checkpoint> open_start(const TrainRequest& request, const std::optional<Json>& alone) {
  if (alone) return initial_checkpoint(*alone, request.model, request.options.seed);
  return open_checkpoint(request.model, {.key = request.key, .threads = request.threads});
}

/// The rates of the optimizer against the schedule that was asked for, and the length.
Result<void> check_taken(const TakenOptimizer& taken, const TrainRequest& request,
                         const TrainOptions& options) {
  if (options.steps <= taken.step)
    return fail(wrong_option(
        fmt::format("its optimizer stands at step {}, and the training ends at {}: steps are "
                    "counted from the optimizer's first",
                    taken.step, options.steps),
        request.model));
  if (taken.scheduled && !request.says_schedule)
    return fail(wrong_option(
        "a schedule moves the learning rate of its optimizer, and its file does not say which: "
        "name it with --schedule, --warmup and --steps",
        request.model));
  const double factor =
      Schedule{options.schedule, options.warmup, options.steps}.factor(taken.step);
  for (std::size_t i = 0; i < taken.groups.size(); ++i) {
    const double asked = taken.groups[i].lr * factor;
    constexpr double kRoundings = 1e-14;
    if (std::fabs(asked - taken.rates[i]) <= kRoundings * std::fabs(taken.rates[i])) continue;
    return fail(wrong_option(
        fmt::format("its optimizer stands at a learning rate of {} in step {}, and a schedule of "
                    "this name, warm-up and length stands at {}",
                    taken.rates[i], taken.step, asked),
        request.model));
  }
  return {};
}

}  // namespace

Trainer::Trainer(TrainedModel trained, ProcessGroup* group)
    : trained_(std::make_unique<TrainedModel>(std::move(trained))),
      passes_(std::make_unique<ModelStep>(trained_->model)),
      arrays_(std::make_unique<Arrays>()),
      group_(group) {
  if (group_ == nullptr) {
    alone_ = std::make_unique<OneProcess>();
    group_ = alone_.get();
  }
  arrays_->first = zeros_like(trained_->model.weights());
  arrays_->second = arrays_->first;
}

/// Where nothing needs the whole gradient, a block's is used and forgotten: it takes a third of the
/// memory that the weights and their moments take.
Result<void> Trainer::make_arrays(bool traces) {
  keeps_gradient_ =
      traces || state_.options.clip > 0 || state_.options.accumulate > 1 || group_->size() > 1;
  VitWeights& weights = trained_->model.weights();
  if (keeps_gradient_) {
    arrays_->gradient = zeros_like(weights);
    SAMEBITS_TRY_VOID(list_slots());
    if (group_->size() > 1) sharded_ = std::make_unique<ShardedOptimizer>(*group_, slots_);
    return {};
  }
  VitWeights& gradient = arrays_->gradient;
  std::vector<VitBlock> encoder = std::move(weights.blocks);
  std::vector<VitBlock> decoder = std::move(weights.decoder_blocks);
  gradient = zeros_like(weights);
  gradient.blocks.assign(1, encoder.front());
  if (!decoder.empty()) gradient.decoder_blocks.assign(1, decoder.front());
  weights.blocks = std::move(encoder);
  weights.decoder_blocks = std::move(decoder);
  return list_slots();
}

/// Which arrays learn, with their gradients and moments.
Result<void> Trainer::list_slots() {
  groups_ = state_.groups.empty() ? usual_groups(state_.options, *trained_) : state_.groups;
  SAMEBITS_TRY(const std::vector<int> of_slots, assign_groups(groups_, *trained_));
  passes_->learn_positions(std::ranges::any_of(
      trained_->weights, [](const StoredWeight& each) { return each.fixed && each.learns; }));
  const std::vector<WeightSlot> weights = weight_slots(trained_->model.weights());
  std::map<std::string, WeightSlot> gradients;
  for (const WeightSlot& slot : weight_slots(arrays_->gradient)) gradients.emplace(slot.role, slot);
  encoder_.resize(trained_->model.weights().blocks.size());
  decoder_.resize(trained_->model.weights().decoder_blocks.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (of_slots[i] < 0) continue;
    const std::string& role = weights[i].role;
    const std::size_t colon = role.find(':');
    const bool in_block = colon != std::string::npos && role[0] >= '0' && role[0] <= '9';
    const bool apart = in_block && !keeps_gradient_;
    const WeightSlot& gradient = gradients.at(apart ? "0" + role.substr(colon) : role);
    auto& blocks = role.find(":decoder:") != std::string::npos ? decoder_ : encoder_;
    auto& list = apart ? blocks[std::stoul(role.substr(0, colon))] : slots_;
    list.push_back(learning_slot(weights[i], gradient, i, static_cast<std::size_t>(of_slots[i])));
  }
  return {};
}

LearningSlot Trainer::learning_slot(const WeightSlot& weight, const WeightSlot& gradient,
                                    std::size_t index, std::size_t group) {
  LearningSlot slot{.weight = weight,
                    .gradient = gradient,
                    .first = weight_slots(arrays_->first)[index],
                    .second = weight_slots(arrays_->second)[index],
                    .group = group};
  if (!state_.options.torch_tails) return slot;
  constexpr std::size_t kTogether = 8;  // elements of torch's vectors, AVX-512's two by two
  const std::size_t length = weight.row_length();
  for (const StoredWeight& stored : trained_->weights) {
    if (stored.slot != index) continue;
    const std::size_t count = stored.count * length;
    for (std::size_t at = count - count % kTogether; at < count; ++at)
      slot.tail.push_back(weight.place(stored.first + at / length, at % length));
  }
  return slot;
}

Result<Trainer> Trainer::start(const TrainRequest& request) {
  const FloatMode contract;
  SAMEBITS_TRY(const std::optional<Json> alone, config_alone(request.model));
  SAMEBITS_TRY(const Checkpoint checkpoint, open_start(request, alone));
  SAMEBITS_TRY(const Json config, config_of(checkpoint, request.config_path, request.fields));
  SAMEBITS_TRY(TrainedModel trained, trained_model(checkpoint, config, request.threads));
  if (!trained.preprocessing.is_object()) {
    SAMEBITS_TRY(trained.preprocessing,
                 preprocessing_beside(alone ? config_file(request.model) : request.config_path));
  }
  TrainOptions options = request.options;
  SAMEBITS_TRY_VOID(set_masking(request, &trained, &options));
  options.leaf = request.leaf.value_or(TrainOptions::usual_leaf(options.batch));
  Trainer trainer(std::move(trained), request.group);
  trainer.state_.options = options;
  trainer.generator_.manual_seed(options.seed);
  SAMEBITS_TRY_VOID(trainer.open_data());
  if (alone) trainer.note_initial();
  std::optional<TakenOptimizer> taken;
  if (request.takes_optimizer) {
    SAMEBITS_TRY(taken, trainer.take_over(checkpoint));
  } else if (checkpoint.training.optimizer) {
    trainer.notes_.push_back(fmt::format(
        "{} is left aside: the moments of this training begin at zero (--continue takes it over)",
        *checkpoint.training.optimizer));
  }
  std::uint64_t& steps = trainer.state_.options.steps;
  if (request.epochs > 0) steps = trainer.state_.step + request.epochs * trainer.steps_of_epoch();
  SAMEBITS_TRY_VOID(trainer.state_.options.check());
  if (taken) SAMEBITS_TRY_VOID(check_taken(*taken, request, trainer.state_.options));
  SAMEBITS_TRY_VOID(trainer.make_arrays(request.traces));
  trainer.state_.begun_step = trainer.state_.step;
  SAMEBITS_TRY(trainer.state_.begun_digest, digest_of(trainer.learning(), trainer.state_.step > 0));
  return trainer;
}

Result<TakenOptimizer> Trainer::take_over(const Checkpoint& checkpoint) {
  SAMEBITS_TRY(TakenOptimizer taken, take_optimizer(checkpoint, *trained_));
  state_.step = taken.step;
  state_.groups = taken.groups;
  state_.listed = taken.listed;
  state_.options.lr = taken.groups[0].lr;
  state_.options.adamw = taken.groups[0].adamw;
  write_moments(taken, *trained_, arrays_->first, arrays_->second);
  note(taken);
  return taken;
}

void Trainer::note_initial() {
  notes_.push_back(fmt::format(
      "the weights are those that transformers 5.24.0 gives a new {} after torch.manual_seed({})",
      trained_->found.model_class->name, state_.options.seed));
  if (trained_->model.config().masked)
    notes_.emplace_back(
        "its positions are zero and stay so, as that version leaves them: it learns without them");
}

void Trainer::note(const TakenOptimizer& taken) {
  notes_.push_back(fmt::format("{} is taken over: AdamW at step {}, moments of {} weights",
                               taken.place, taken.step, taken.moments.size()));
  if (taken.moments.empty())
    notes_.back() =
        fmt::format("{} is taken over: AdamW at step 0, which has no moments yet", taken.place);
  if (!taken.frozen.empty())
    notes_.push_back(fmt::format("{} weights are frozen, since it does not move them: {}{}",
                                 taken.frozen.size(), taken.frozen[0],
                                 taken.frozen.size() > 1 ? " and others" : ""));
  if (!taken.fused)
    notes_.emplace_back(
        "it is not the fused AdamW: torch's own next step takes another square root, and can "
        "differ "
        "by rounding");
  notes_.emplace_back("the order of samples and the noise begin anew, from the seed");
}

Result<Trainer> Trainer::resume(const std::string& checkpoint, const ResumeRequest& request) {
  const FloatMode contract;
  SAMEBITS_TRY(TrainState state, read_state(checkpoint));
  SAMEBITS_TRY(TrainedModel trained, open_trained_model(checkpoint, request.threads));
  if (request.steps && *request.steps != state.options.steps &&
      state.options.schedule != Schedule::Kind::constant) {
    return fail(wrong_option(
        fmt::format("the learning rate follows a {} over {} steps: another length is another "
                    "training",
                    schedule_name(state.options.schedule), state.options.steps),
        checkpoint));
  }
  if (!state.groups.empty()) SAMEBITS_TRY_VOID(assign_groups(state.groups, trained));
  Trainer trainer(std::move(trained), request.group);
  SAMEBITS_TRY_VOID(read_moments(checkpoint, &state, trainer.learning()));
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
  SAMEBITS_TRY_VOID(trainer.make_arrays(request.traces));
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

}  // namespace samebits
