#include "samebits/train/export_training.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "samebits/base/atomic_directory.h"
#include "samebits/base/atomic_write.h"
#include "samebits/container/pickle_writer.h"
#include "samebits/container/tensor_writers.h"
#include "samebits/family/parameter_order.h"
#include "samebits/train/lightning_loops.h"
#include "samebits/train/schedule.h"

namespace samebits {
namespace {

using Value = PickleValue;

constexpr std::pair<ExportFormat, const char*> kFormats[] = {{ExportFormat::lightning, "lightning"},
                                                             {ExportFormat::trainer, "trainer"},
                                                             {ExportFormat::hf, "hf"}};
constexpr const char* kWrittenFiles[] = {"model.safetensors",  "config.json",
                                         "optimizer.pt",       "scheduler.pt",
                                         "trainer_state.json", "preprocessor_config.json"};

Error not_exported(const std::string& what) {
  return {.code = ErrorCode::unsupported, .what = "this training cannot be exported: " + what};
}

template <class T>
using TextItems = std::vector<std::pair<std::string, T>>;

Value dict_of(const TextItems<Value>& items) {
  Value::Items all;
  for (const auto& [key, value] : items) all.emplace_back(Value::text(key), value);
  return Value::dict(all);
}

/// A parameter of the live module, in its order.
struct LiveParameter {
  std::string name, role;
  const StoredWeight* weight = nullptr;  // where a pass reads it
};

/// One call of export_training().
class TrainingExporter {
 public:
  explicit TrainingExporter(const ExportedTraining& training)
      : training_(training), trained_(training.trained) {}

  Result<void> prepare() {
    const model::Recognition& found = trained_.found;
    if (!model::is_transformers(found.library) ||
        !model::has_class(model::Library::transformers5, *found.model_class))
      return fail(not_exported("its weights are of no class of transformers"));
    SAMEBITS_TRY(std::vector<model::TensorSpec> specs,
                 tensors_of(model::Library::transformers5, *found.model_class, found.fields));
    std::map<std::string, const StoredWeight*> by_role;
    for (const StoredWeight& weight : trained_.weights) by_role[weight.role] = &weight;
    for (model::TensorSpec& spec :
         in_parameter_order(model::Library::transformers5, *found.model_class, std::move(specs))) {
      const auto weight = by_role.find(spec.role);
      live_.push_back({spec.name, spec.role, weight == by_role.end() ? nullptr : weight->second});
    }
    return {};
  }

  Result<void> write_lightning(const std::string& path) {
    const std::string& own = trained_.found.prefix;
    const std::string prefix = own.empty() ? "model." : own;
    TensorsToWrite tensors = weights(prefix);
    Value::Items state_dict;
    for (const BlobTensor& tensor : tensors.tensors)
      state_dict.emplace_back(Value::text(tensor.name),
                              Value::tensor(tensor, tensors.blobs[tensor.blob].size));
    SAMEBITS_TRY_VOID(list_groups(false));
    SAMEBITS_TRY(const Value optimizer, optimizer_state(&tensors));
    const TrainState& state = training_.state;
    const Value loops = lightning_loops({.step = state.step,
                                         .epoch = state.epoch,
                                         .batches = batches_done(),
                                         .is_last_batch = batches_done() == batches_of_epoch(),
                                         .accumulate = state.options.accumulate,
                                         .scheduled = is_scheduled()});
    const Value whole =
        dict_of({{"epoch", number(state.epoch)},
                 {"global_step", number(state.step)},
                 {"pytorch-lightning_version", Value::text("2.6.6")},
                 {"state_dict", Value::ordered_dict(state_dict)},
                 {"loops", loops},
                 {"callbacks", Value::dict({})},
                 {"optimizer_states", Value::list({optimizer})},
                 {"lr_schedulers", Value::list(is_scheduled() ? std::vector{scheduler_state()}
                                                              : std::vector<Value>{})}});
    return write_file(path, whole, tensors);
  }

  Result<void> write_directory(const std::string& path, bool trainer) {
    const auto may_go = [](const std::string& name) {
      return std::ranges::find(kWrittenFiles, name) != std::end(kWrittenFiles);
    };
    SAMEBITS_TRY(AtomicDirectory directory, AtomicDirectory::create(path, true, may_go));
    const std::string at = directory.temporary() + "/";
    SAMEBITS_TRY_VOID(write_model(at));
    if (trainer) SAMEBITS_TRY_VOID(write_trainer_files(at));
    return directory.commit();
  }

 private:
  static Value number(std::uint64_t value) {
    return Value::integer(static_cast<std::int64_t>(value));
  }

  /// Of all tensors, under the names of live modules; those that no table knows keep their own.
  TensorsToWrite weights(const std::string& prefix) const {
    TensorsToWrite made = trained_.tensors(trained_.model.weights(), "", true);
    std::map<std::string, std::string> roles;
    for (const StoredWeight& weight : trained_.weights) roles[weight.name] = weight.role;
    for (const OtherTensor& other : trained_.others) roles[other.name] = other.role;
    std::map<std::string, std::size_t> places;
    for (std::size_t i = 0; i < live_.size(); ++i) places[live_[i].role] = i;
    for (BlobTensor& tensor : made.tensors) {
      const auto place = places.find(roles[tensor.name]);
      if (place != places.end()) tensor.name = prefix + live_[place->second].name;
    }
    std::map<std::string, std::size_t> order;
    for (std::size_t i = 0; i < live_.size(); ++i) order[prefix + live_[i].name] = i;
    std::ranges::stable_sort(made.tensors, {}, [&](const BlobTensor& tensor) {
      const auto at = order.find(tensor.name);
      return at == order.end() ? order.size() : at->second;
    });
    return made;
  }

  /// Which parameters the groups of the optimizer list.
  Result<void> list_groups(bool trainer) {
    std::map<std::string, const LiveParameter*> by_role;
    for (const LiveParameter& each : live_) by_role[each.role] = &each;
    for (const std::vector<std::string>& roles : training_.state.listed) {
      lists_.emplace_back();
      for (const std::string& role : roles) {
        const auto found = by_role.find(role);
        if (found == by_role.end())
          return fail(not_exported("its optimizer lists a parameter that no table knows"));
        lists_.back().push_back(found->second);
      }
    }
    if (!lists_.empty()) return {};
    // The Trainer's two; else one for each group. What nothing moves goes where its kind is.
    const std::size_t groups = training_.groups.size();
    lists_.resize(trainer ? 2 : groups);
    for (const LiveParameter& each : live_) {
      const LearningGroup* own = group_of(each);
      if (own == nullptr && each.weight != nullptr && each.weight->fixed) continue;
      const bool still =
          each.role.find("norm") != std::string::npos || each.role.ends_with(".bias");
      const std::size_t place = own == nullptr ? groups - 1 : own - training_.groups.data();
      lists_[trainer ? (still ? 1 : 0) : place].push_back(&each);
    }
    return {};
  }

  double factor() const {
    const TrainOptions& options = training_.state.options;
    return Schedule{options.schedule, options.warmup, options.steps}.factor(training_.state.step);
  }
  bool is_scheduled() const {
    const TrainOptions& options = training_.state.options;
    return options.schedule != Schedule::Kind::constant || options.warmup > 0;
  }

  /// What moves a parameter; nullptr where nothing does.
  const LearningGroup* group_of(const LiveParameter& parameter) const {
    if (parameter.weight == nullptr) return nullptr;
    for (const LearningGroup& group : training_.groups) {
      if (std::ranges::find(group.names, parameter.weight->name) != group.names.end())
        return &group;
    }
    return nullptr;
  }

  /// The settings of a list's parameters; those of the first group where none of them learns.
  Result<const LearningGroup*> settings_of(const std::vector<const LiveParameter*>& list) const {
    const LearningGroup* settings = nullptr;
    for (const LiveParameter* each : list) {
      const LearningGroup* own = group_of(*each);
      const bool alike = own == nullptr || settings == nullptr ||
                         (settings->lr == own->lr && settings->adamw == own->adamw);
      if (!alike)
        return fail(not_exported("weights of one group have different settings: " + each->name));
      if (settings == nullptr) settings = own;
    }
    return settings != nullptr ? settings : &training_.groups[0];
  }

  Result<Value> optimizer_state(TensorsToWrite* tensors) {
    Value::Items states;
    std::vector<Value> groups;
    std::uint64_t key = 0;
    for (const std::vector<const LiveParameter*>& list : lists_) {
      SAMEBITS_TRY(const LearningGroup* const settings, settings_of(list));
      rates_.push_back(settings->lr);
      std::vector<Value> keys;
      for (const LiveParameter* each : list) {
        keys.push_back(number(key++));
        const LearningGroup* own = group_of(*each);
        if (own == nullptr) continue;
        if (auto state = parameter_state(*each->weight, *own, tensors))
          states.emplace_back(keys.back(), *state);
      }
      groups.push_back(group_value(*settings, keys));
    }
    return dict_of({{"state", Value::dict(states)}, {"param_groups", Value::list(groups)}});
  }

  std::optional<Value> parameter_state(const StoredWeight& weight, const LearningGroup& group,
                                       TensorsToWrite* tensors) {
    const auto steps = static_cast<std::int64_t>(training_.state.step) + group.steps_before;
    if (steps <= 0) return std::nullopt;
    const auto add = [&](const Shape& shape, Blob blob) {
      const BlobTensor tensor{"", DType::float32, shape, tensors->blobs.size()};
      const std::uint64_t bytes = blob.size;
      tensors->blobs.push_back(std::move(blob));
      return Value::tensor(tensor, bytes);
    };
    const auto count = static_cast<float>(steps);
    const Value step =
        add({}, {sizeof(float), [count](const ByteSink& sink) {
                   return sink({reinterpret_cast<const std::uint8_t*>(&count), sizeof(count)});
                 }});
    const auto moment = [&](VitWeights& values) {
      return add(weight.shape,
                 blob_of_rows(weight_slots(values)[weight.slot], weight.first, weight.count));
    };
    return dict_of({{"step", step},
                    {"exp_avg", moment(training_.first)},
                    {"exp_avg_sq", moment(training_.second)}});
  }

  Value group_value(const LearningGroup& group, const std::vector<Value>& keys) const {
    TextItems<Value> items = {
        {"lr", Value::real(group.lr * factor())},
        {"betas", Value::tuple({Value::real(group.adamw.beta1), Value::real(group.adamw.beta2)})},
        {"eps", Value::real(group.adamw.eps)},
        {"weight_decay", Value::real(group.adamw.weight_decay)},
        {"amsgrad", Value::boolean(false)},
        {"maximize", Value::boolean(false)},
        {"foreach", Value::none()},
        {"capturable", Value::boolean(false)},
        {"differentiable", Value::boolean(false)},
        {"fused", Value::boolean(true)},
        {"decoupled_weight_decay", Value::boolean(true)}};
    if (is_scheduled()) items.emplace_back("initial_lr", Value::real(group.lr));
    items.emplace_back("params", Value::list(keys));
    return dict_of(items);
  }

  /// A LambdaLR, whose function the library's program brings with it. One rate for each list.
  Value scheduler_state() const {
    std::vector<Value> base, last, functions;
    for (const double rate : rates_) {
      base.push_back(Value::real(rate));
      last.push_back(Value::real(rate * factor()));
      functions.push_back(Value::none());
    }
    return dict_of({{"base_lrs", Value::list(base)},
                    {"last_epoch", number(training_.state.step)},
                    {"_step_count", number(training_.state.step + 1)},
                    {"_is_initial", Value::boolean(false)},
                    {"_get_lr_called_within_step", Value::boolean(false)},
                    {"_last_lr", Value::list(last)},
                    {"lr_lambdas", Value::list(functions)}});
  }

  std::uint64_t batches_of_epoch() const {
    const std::size_t batch = training_.state.options.batch;
    return (training_.samples + batch - 1) / batch;
  }
  std::uint64_t batches_done() const {
    const std::size_t batch = training_.state.options.batch;
    return (training_.state.position + batch - 1) / batch;
  }

  Result<void> write_file(const std::string& path, const Value& value,
                          const TensorsToWrite& tensors) const {
    SAMEBITS_TRY(AtomicFile file, AtomicFile::create(path));
    SAMEBITS_TRY_VOID(
        stream_torch_object(value, tensors, [&](Bytes bytes) { return file.write(bytes); }));
    return file.commit();
  }

  Result<void> write_json(const std::string& path, const Json& value) const {
    return atomic_write(path, std::string_view(value.dump(2) + "\n"));
  }

  Result<void> write_model(const std::string& at) const {
    SAMEBITS_TRY(AtomicFile file, AtomicFile::create(at + "model.safetensors"));
    SAMEBITS_TRY_VOID(stream_safetensors(weights(""), {{"format", "pt"}},
                                         [&](Bytes bytes) { return file.write(bytes); }));
    SAMEBITS_TRY_VOID(file.commit());
    if (!trained_.config.is_object()) return {};
    Json config = trained_.config;
    config["architectures"] = Json::array({std::string(trained_.found.model_class->name)});
    config["transformers_version"] = "5.24.0";
    SAMEBITS_TRY_VOID(write_json(at + "config.json", config));
    if (!trained_.preprocessing.is_object()) return {};
    return write_json(at + "preprocessor_config.json", trained_.preprocessing);
  }

  Result<void> write_trainer_files(const std::string& at) {
    TensorsToWrite tensors;
    SAMEBITS_TRY_VOID(list_groups(true));
    SAMEBITS_TRY(const Value optimizer, optimizer_state(&tensors));
    SAMEBITS_TRY_VOID(write_file(at + "optimizer.pt", optimizer, tensors));
    SAMEBITS_TRY_VOID(write_file(at + "scheduler.pt", scheduler_state(), {}));
    const TrainState& state = training_.state;
    const double batches = static_cast<double>(batches_of_epoch());
    const std::uint64_t steps_of_epoch =
        (batches_of_epoch() + state.options.accumulate - 1) / state.options.accumulate;
    const Json json = {
        {"best_global_step", Json()},
        {"best_metric", Json()},
        {"best_model_checkpoint", Json()},
        {"epoch", static_cast<double>(state.epoch) + static_cast<double>(batches_done()) / batches},
        {"eval_steps", kUsualInterval},
        {"global_step", state.step},
        {"is_hyper_param_search", false},
        {"is_local_process_zero", true},
        {"is_world_process_zero", true},
        {"log_history", Json::array()},
        {"logging_steps", kUsualInterval},
        {"max_steps", state.options.steps},
        {"num_input_tokens_seen", 0},
        {"num_train_epochs", (state.options.steps + steps_of_epoch - 1) / steps_of_epoch},
        {"save_steps", kUsualInterval},
        {"stateful_callbacks",
         {{"TrainerControl",
           {{"args",
             {{"should_epoch_stop", false},
              {"should_evaluate", false},
              {"should_log", false},
              {"should_save", false},
              {"should_training_stop", false}}},
            {"attributes", Json::object()}}}}},
        {"total_flos", 0.0},
        {"train_batch_size", state.options.batch},
        {"trial_name", Json()},
        {"trial_params", Json()}};
    return write_json(at + "trainer_state.json", json);
  }

  static constexpr int kUsualInterval = 500;  // of transformers' arguments

  const ExportedTraining& training_;
  TrainedModel& trained_;
  std::vector<LiveParameter> live_;
  std::vector<std::vector<const LiveParameter*>> lists_;  // of the optimizer's groups
  std::vector<double> rates_;                             // of these, before the schedule
};

}  // namespace

std::optional<ExportFormat> export_format_from_name(std::string_view name) {
  for (const auto& [format, each] : kFormats) {
    if (name == each) return format;
  }
  return std::nullopt;
}

std::vector<std::string> export_format_names() {
  std::vector<std::string> names;
  for (const auto& [format, name] : kFormats) names.emplace_back(name);
  return names;
}

std::string export_name(ExportFormat format, std::uint64_t step) {
  switch (format) {
    case ExportFormat::lightning: return fmt::format("step-{}.ckpt", step);
    case ExportFormat::trainer: return fmt::format("checkpoint-{}", step);
    case ExportFormat::hf: break;
  }
  return fmt::format("hf-{}", step);
}

Result<void> export_training(const ExportedTraining& training, ExportFormat format,
                             const std::string& path) {
  TrainingExporter exporter(training);
  SAMEBITS_TRY_VOID(exporter.prepare());
  if (format == ExportFormat::lightning) return exporter.write_lightning(path);
  return exporter.write_directory(path, format == ExportFormat::trainer);
}

}  // namespace samebits
