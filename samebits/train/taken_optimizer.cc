#include "samebits/train/taken_optimizer.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "samebits/family/parameter_order.h"
#include "samebits/train/parameter_places.h"

namespace samebits {
namespace {

/// A parameter of the model as its module lists it, and what it is here.
struct OwnParameter {
  ModelParameter parameter;
  std::string stored;  // name of TrainedModel::weights; "": no pass reads it
  std::string role;    // "" where no table knows it
};

Error not_taken(const Checkpoint& checkpoint, const std::string& what) {
  return {.code = ErrorCode::unsupported,
          .what = "its optimizer cannot be taken over: " + what,
          .file = checkpoint.path};
}

/// Whether the file keeps the order of the module's state_dict(); safetensors are sorted.
bool keeps_module_order(const Checkpoint& checkpoint) {
  const std::vector<std::uint32_t>& weights = checkpoint.weights().weights;
  const StoredTensor& first = checkpoint.entries[weights.front()];
  return checkpoint.files[first.file].container.starts_with("torch-");
}

class ParameterLister {
 public:
  ParameterLister(const Checkpoint& checkpoint, const TrainedModel& trained)
      : checkpoint_(checkpoint), trained_(trained) {
    for (const StoredWeight& weight : trained.weights) {
      by_name_[weight.name] = &weight;
      by_role_[weight.role] = &weight;
    }
    for (const OtherTensor& other : trained.others) other_roles_[other.name] = other.role;
  }

  Result<std::vector<OwnParameter>> list() const {
    if (keeps_module_order(checkpoint_)) return listed_in_file();
    return listed_by_class();
  }

 private:
  std::vector<OwnParameter> listed_in_file() const {
    std::vector<OwnParameter> own;
    std::set<std::pair<std::uint32_t, std::uint64_t>> seen;
    for (const std::uint32_t index : checkpoint_.weights().weights) {
      const StoredTensor& tensor = checkpoint_.entries[index];
      const bool floating = is_floating(tensor.view.dtype());
      const bool tied =
          tensor.view.numel() > 0 && !seen.emplace(tensor.storage, tensor.offset).second;
      if (!floating || tied || tensor.role == TensorRole::buffer) continue;
      const std::string& prefix = trained_.found.prefix;
      const std::string name =
          tensor.name.starts_with(prefix) ? tensor.name.substr(prefix.size()) : tensor.name;
      const auto other = other_roles_.find(name);
      add({tensor.name, tensor.view.shape()}, find(by_name_, name),
          other == other_roles_.end() ? "" : other->second, &own);
    }
    return own;
  }

  Result<std::vector<OwnParameter>> listed_by_class() const {
    const Json version = trained_.config.is_object()
                             ? trained_.config.value("transformers_version", Json())
                             : Json();
    const std::string text = version.is_string() ? version.get<std::string>() : "";
    const bool four = text.starts_with("4.");
    if (!four && !text.starts_with("5."))
      return fail(not_taken(checkpoint_,
                            "its parameters are numbered in the order of their modules, and the "
                            "config does not say of which transformers, 4 or 5"));
    const model::Library library =
        four ? model::Library::transformers4 : model::Library::transformers5;
    SAMEBITS_TRY(std::vector<model::TensorSpec> specs,
                 tensors_of(library, *trained_.found.model_class, trained_.found.fields));
    std::vector<OwnParameter> own;
    for (const model::TensorSpec& spec :
         in_parameter_order(library, *trained_.found.model_class, std::move(specs)))
      add({spec.name, spec.shape}, find(by_role_, spec.role), spec.role, &own);
    return own;
  }

  using ByText = std::map<std::string, const StoredWeight*>;
  static const StoredWeight* find(const ByText& weights, const std::string& text) {
    const auto found = weights.find(text);
    return found == weights.end() ? nullptr : found->second;
  }

  static void add(ModelParameter parameter, const StoredWeight* weight, const std::string& role,
                  std::vector<OwnParameter>* own) {
    parameter.fixed = weight != nullptr && weight->fixed;
    own->push_back({std::move(parameter), weight == nullptr ? "" : weight->name,
                    weight == nullptr ? role : weight->role});
  }

  const Checkpoint& checkpoint_;
  const TrainedModel& trained_;
  ByText by_name_, by_role_;
  std::map<std::string, std::string> other_roles_;  // by name
};

/// One call of take_optimizer().
class OptimizerTaker {
 public:
  OptimizerTaker(const Checkpoint& checkpoint, const TrainedModel& trained)
      : checkpoint_(checkpoint), trained_(trained) {}

  Result<TakenOptimizer> take() {
    auto source = std::make_shared<ResumeState>(read_resume_state(checkpoint_));
    taken_.source = source;
    SAMEBITS_TRY_VOID(choose(*source));
    taken_.place = optimizer_->place;
    for (const ParameterState& state : optimizer_->parameters) states_[state.key] = &state;
    SAMEBITS_TRY(own_, ParameterLister(checkpoint_, trained_).list());
    SAMEBITS_TRY(const ParameterLists lists, listed());
    std::vector<ModelParameter> parameters;
    for (const OwnParameter& each : own_) parameters.push_back(each.parameter);
    Result<std::vector<std::vector<std::size_t>>> places = place_parameters(parameters, lists);
    if (!places) return fail(in_file(std::move(places).error()));
    for (const auto& [key, state] : states_) taken_.step = std::max(taken_.step, steps_.at(key));
    for (std::size_t i = 0; i < lists.size(); ++i) SAMEBITS_TRY_VOID(add_group(i, (*places)[i]));
    if (taken_.groups.empty()) return fail(no("it moves no weight of the model"));
    note_frozen();
    return std::move(taken_);
  }

 private:
  Error no(const std::string& what) const { return not_taken(checkpoint_, what); }
  Error in_file(Error error) const {
    error.file = checkpoint_.path;
    return error;
  }

  Result<void> choose(const ResumeState& source) {
    if (source.zero || !source.not_read.empty() || !source.whole_objects.empty())
      return fail(no(source.zero               ? "it stands in partitions of ZeRO"
                     : source.not_read.empty() ? "it was pickled whole: " + source.whole_objects[0]
                                               : source.not_read[0]));
    if (!source.source.unread.empty()) return fail(source.source.unread[0]);
    if (source.optimizers.size() != 1)
      return fail(no(source.optimizers.empty() ? "no optimizer's state stands beside the weights"
                                               : fmt::format("{} of them stand beside the weights",
                                                             source.optimizers.size())));
    optimizer_ = &source.optimizers[0];
    taken_.scheduled = !source.schedulers.empty();
    const std::string kind = optimizer_->kind();
    if (kind == "AdamW" || kind == "Adam" || kind == "Adam or AdamW") return {};
    return fail(no(kind.empty() ? "nothing tells what it is" : "it is " + kind + ", not AdamW"));
  }

  /// Its parameters with what names and shapes they have; steps_ is filled.
  Result<ParameterLists> listed() {
    ParameterLists lists;
    std::set<std::string> known;
    for (const ParameterGroup& group : optimizer_->groups) {
      lists.emplace_back();
      for (std::size_t i = 0; i < group.keys.size(); ++i) {
        ListedParameter each{.key = group.keys[i]};
        known.insert(each.key);
        if (group.names.size() == group.keys.size()) each.name = name_here(group.names[i]);
        if (const auto state = states_.find(each.key); state != states_.end()) {
          SAMEBITS_TRY(each.shape, shape_of(*state->second));
        }
        lists.back().push_back(std::move(each));
      }
    }
    for (const auto& [key, state] : states_) {
      if (!known.contains(key))
        return fail(no(fmt::format("the state of {} belongs to no parameter of its groups", key)));
    }
    return lists;
  }

  /// A name of the optimizer as the file's weights have it: with their prefix.
  std::string name_here(const std::string& name) const {
    const auto known = [&](const std::string& text) {
      return std::ranges::any_of(
          own_, [&](const OwnParameter& each) { return each.parameter.name == text; });
    };
    const std::string longer = trained_.found.prefix + name;
    return !known(name) && known(longer) ? longer : name;
  }

  const TensorView* tensor_of(const ParameterState& state, std::string_view name) const {
    for (const auto& [key, entry] : state.tensors) {
      const StoredTensor& tensor = taken_.source->source.entries[entry];
      if (key == name && tensor.readable) return &tensor.view;
    }
    return nullptr;
  }

  Result<Shape> shape_of(const ParameterState& state) {
    const TensorView* first = tensor_of(state, "exp_avg");
    const TensorView* second = tensor_of(state, "exp_avg_sq");
    if (first == nullptr || second == nullptr)
      return fail(no("the state of " + state.key + " has no exp_avg and exp_avg_sq"));
    const bool alike = first->shape() == second->shape() && first->dtype() == DType::float32 &&
                       second->dtype() == DType::float32;
    if (!alike)
      return fail(no("the moments of " + state.key + " are not float32 tensors of one shape"));
    const double step = state.step.value_or(0);
    constexpr double kMost = 1e15;
    if (!(step >= 1 && step < kMost) || step != std::floor(step))
      return fail(no("the state of " + state.key + " has no count of steps"));
    steps_[state.key] = static_cast<std::uint64_t>(step);
    return first->shape();
  }

  static const Json* option(const ParameterGroup& group, const char* name) {
    const auto found = group.options.find(name);
    return found == group.options.end() ? nullptr : &*found;
  }
  static bool is_on(const ParameterGroup& group, const char* name) {
    const Json* value = option(group, name);
    return value != nullptr && ((value->is_boolean() && value->get<bool>()) ||
                                (value->is_number() && value->get<double>() != 0));
  }

  /// Rate and settings of a group. `now` becomes its rate as it stands.
  Result<LearningGroup> settings(std::size_t index, double* now) {
    const ParameterGroup& group = optimizer_->groups[index];
    const auto wrong = [&](const std::string& what) {
      return fail(no(fmt::format("its group {} {}", index, what)));
    };
    for (const char* name : {"amsgrad", "maximize"}) {
      if (is_on(group, name)) return wrong(std::string("asks for ") + name);
    }
    for (const char* name : {"lr", "eps", "weight_decay"}) {
      if (const Json* value = option(group, name); value == nullptr || !value->is_number())
        return wrong(std::string("says no ") + name);
    }
    const Json* betas = option(group, "betas");
    const bool two = betas != nullptr && betas->is_array() && betas->size() == 2 &&
                     (*betas)[0].is_number() && (*betas)[1].is_number();
    if (!two) return wrong("says no betas");
    LearningGroup taken{.lr = *now = option(group, "lr")->get<double>(),
                        .adamw = {.beta1 = (*betas)[0].get<double>(),
                                  .beta2 = (*betas)[1].get<double>(),
                                  .eps = option(group, "eps")->get<double>(),
                                  .weight_decay = option(group, "weight_decay")->get<double>()}};
    if (taken.adamw.weight_decay != 0 && !is_on(group, "decoupled_weight_decay"))
      return wrong("has a weight decay that is Adam's, or that nothing says to be AdamW's");
    if (const Json* base = option(group, "initial_lr"); base != nullptr && base->is_number()) {
      taken.lr = base->get<double>();
      taken_.scheduled = taken_.scheduled || taken.lr != *now;
    }
    taken_.fused = index == 0 ? is_on(group, "fused") : taken_.fused && is_on(group, "fused");
    return taken;
  }

  /// Group `index`, whose parameters are `places` of own_: one for each count of steps.
  Result<void> add_group(std::size_t index, const std::vector<std::size_t>& places) {
    double now = 0;
    SAMEBITS_TRY(const LearningGroup settings_of, settings(index, &now));
    taken_.listed.emplace_back();
    for (const std::size_t place : places) taken_.listed.back().push_back(own_[place].role);
    std::map<std::uint64_t, LearningGroup> by_step;
    for (std::size_t i = 0; i < places.size(); ++i) {
      const OwnParameter& own = own_[places[i]];
      const auto state = states_.find(optimizer_->groups[index].keys[i]);
      if (state == states_.end()) {
        if (!states_.empty() || own.stored.empty() || own.parameter.fixed)
          continue;  // it is frozen
      } else if (own.stored.empty()) {
        return fail(no("it moves " + own.parameter.name + ", which no pass of the model reads"));
      } else {
        taken_.moments.push_back({own.stored, *tensor_of(*state->second, "exp_avg"),
                                  *tensor_of(*state->second, "exp_avg_sq")});
      }
      const std::uint64_t step = state == states_.end() ? 0 : steps_.at(state->first);
      LearningGroup& group = by_step.emplace(step, settings_of).first->second;
      group.steps_before = static_cast<std::int64_t>(step) - static_cast<std::int64_t>(taken_.step);
      group.names.push_back(own.stored);
    }
    for (auto& [step, group] : by_step) {
      taken_.groups.push_back(std::move(group));
      taken_.rates.push_back(now);
    }
    return {};
  }

  void note_frozen() {
    std::set<std::string> moved;
    for (const LearningGroup& group : taken_.groups)
      moved.insert(group.names.begin(), group.names.end());
    for (const StoredWeight& weight : trained_.weights) {
      if (!weight.fixed && !moved.contains(weight.name)) taken_.frozen.push_back(weight.name);
    }
  }

  const Checkpoint& checkpoint_;
  const TrainedModel& trained_;
  const OptimizerState* optimizer_ = nullptr;
  std::map<std::string, const ParameterState*> states_;
  std::map<std::string, std::uint64_t> steps_;  // by key
  std::vector<OwnParameter> own_;
  TakenOptimizer taken_;
};

}  // namespace

Result<TakenOptimizer> take_optimizer(const Checkpoint& checkpoint, const TrainedModel& trained) {
  return OptimizerTaker(checkpoint, trained).take();
}

void write_moments(const TakenOptimizer& taken, const TrainedModel& trained, VitWeights& first,
                   VitWeights& second) {
  const std::vector<WeightSlot> firsts = weight_slots(first);
  const std::vector<WeightSlot> seconds = weight_slots(second);
  std::map<std::string, const StoredWeight*> weights;
  for (const StoredWeight& weight : trained.weights) weights[weight.name] = &weight;
  std::vector<std::uint8_t> buffer;
  const auto write = [&](const TensorView& view, const StoredWeight& weight,
                         const std::vector<WeightSlot>& slots) {
    const Bytes bytes = view.row_major_bytes(buffer);
    std::vector<float> values(bytes.size() / sizeof(float));
    std::copy_n(bytes.data(), bytes.size(), reinterpret_cast<std::uint8_t*>(values.data()));
    slots[weight.slot].write_rows(weight.first, weight.count, values.data());
  };
  for (const TakenMoments& each : taken.moments) {
    write(each.first, *weights.at(each.name), firsts);
    write(each.second, *weights.at(each.name), seconds);
  }
}

}  // namespace samebits
