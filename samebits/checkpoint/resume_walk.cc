#include "samebits/checkpoint/resume_walk.h"

#include <algorithm>
#include <array>
#include <utility>

#include "samebits/base/json.h"
#include "samebits/checkpoint/candidates.h"
#include "samebits/checkpoint/module_tree.h"
#include "samebits/checkpoint/progress_words.h"
#include "samebits/checkpoint/torch_tensor.h"
#include "samebits/checkpoint/training_values.h"

namespace samebits {
namespace {

using pickle::Kind;
using pickle::kNone;
using pickle::Tree;

constexpr int kDeepestPart = 7;
constexpr int kMostWalked = 20'000;        // values looked at
constexpr std::size_t kLongestList = 256;  // a longer one holds data

constexpr std::array kPositionNames = std::to_array<std::string_view>({"batch",
                                                                       "batch_idx",
                                                                       "batch_index",
                                                                       "batch_in_epoch",
                                                                       "batches_done",
                                                                       "batches_seen",
                                                                       "step_in_epoch",
                                                                       "steps_in_epoch",
                                                                       "iter_in_epoch",
                                                                       "epoch_step",
                                                                       "iterations_in_epoch",
                                                                       "samples_seen",
                                                                       "num_samples_seen",
                                                                       "consumed_samples",
                                                                       "consumed_train_samples",
                                                                       "sample_idx",
                                                                       "data_idx",
                                                                       "data_position",
                                                                       "data_step",
                                                                       "position"});
constexpr std::array kSettingNames = std::to_array<std::string_view>({"args",
                                                                      "arguments",
                                                                      "config",
                                                                      "cfg",
                                                                      "conf",
                                                                      "hparams",
                                                                      "hyper_parameters",
                                                                      "hyperparameters",
                                                                      "hyper_params",
                                                                      "opt",
                                                                      "opts",
                                                                      "options",
                                                                      "params",
                                                                      "settings",
                                                                      "kwargs",
                                                                      "train_config",
                                                                      "training_args",
                                                                      "model_args",
                                                                      "model_config",
                                                                      "datamodule_hyper_parameters",
                                                                      "ds_config"});

// Of the files that DeepSpeed's engine saves.
constexpr std::array kDeepSpeedKeys =
    std::to_array<std::string_view>({"ds_version", "ds_config", "param_shapes"});

bool is_listed(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

bool says(const std::string& key, std::string_view part) {
  return key.find(part) != std::string::npos;
}

bool is_sampler_key(const std::string& key) {
  return says(key, "sampler") || says(key, "dataloader") || says(key, "data_loader") ||
         says(key, "dl_state") || says(key, "data_state") || says(key, "dataset_state") ||
         key == "loader" || says(key, "train_loader") || says(key, "combined_loader");
}

bool is_setting_key(const std::string& key) {
  return is_listed(kSettingNames, key) || key.ends_with("_args") || key.ends_with("_config") ||
         key.ends_with("_cfg") || key.ends_with("_hparams");
}

bool is_scaler_key(const std::string& key) {
  return says(key, "scaler") || says(key, "scaling") || key == "amp" ||
         says(key, "MixedPrecision") || key == "native_amp_scaling_state";
}

struct KeySet {
  std::vector<std::string> keys;
  bool has(std::string_view name) const { return std::ranges::find(keys, name) != keys.end(); }
};

KeySet keys_of(const std::vector<KeyValue>& items) {
  KeySet set;
  for (const KeyValue& item : items) set.keys.push_back(item.key);
  return set;
}

/// state_dict() of a class of torch.optim.lr_scheduler.
bool is_schedule(const KeySet& keys) {
  const bool counts = keys.has("last_epoch") || keys.has("_schedulers");
  return counts && (keys.has("_last_lr") || keys.has("base_lrs") || keys.has("_step_count") ||
                    keys.has("num_bad_epochs") || keys.has("_schedulers"));
}

bool is_grad_scaler(const KeySet& keys) {
  return keys.has("scale") && (keys.has("_growth_tracker") || keys.has("growth_factor"));
}

class PartWalk {
 public:
  PartWalk(ResumeState& state, const Checkpoint& source, const TorchObject& object,
           const std::vector<std::string>& weights)
      : state_(state),
        source_(source),
        object_(object),
        tree_(object.tree),
        weights_(weights),
        index_(index_entries(source)) {}

  void visit(NodeId node, const std::string& key, const std::string& path, int depth) {
    if (depth > kDeepestPart || ++visited_ > kMostWalked) return note_limit();
    if (is_weights(path)) return;
    if (is_module(tree_, node)) return;
    if (auto generator = read_generator_state(source_, index_, tree_, node, place(path)))
      return state_.generators.push_back(std::move(*generator));
    if (is_tensor(tree_, node)) return add_counter(node, key, path);
    if (is_optimizer_state(tree_, node))
      return state_.optimizers.push_back(
          read_optimizer_state(source_, index_, tree_, node, place(path)));
    const bool in_loops = path.starts_with("loops.");
    if (!in_loops && (note_empty(node, key, path) || take_named(node, key, path))) return;
    if (in_loops && says(key, "combined_loader") && tree_.kind(node) != Kind::none)
      state_.samplers.push_back({place(path), nullptr});
    if (is_mapping(tree_, node)) return visit_items(mapping_items(tree_, node), path, depth);
    if (is_sequence(tree_, node)) return visit_sequence(node, key, path, depth);
    if (tree_.kind(node) == Kind::object) return visit_object(node, key, path, depth);
    add_counter(node, key, path);
  }

  /// A file that is one thing by its name.
  bool take_file(const std::string& role) {
    const NodeId root = object_.root;
    const std::string name = object_.prefix.substr(0, object_.prefix.size() - 1);
    const bool empty = is_mapping(tree_, root) && mapping_items(tree_, root).empty();
    if (empty) state_.empty.push_back(name);
    const auto take = [&](std::vector<PlacedValues>& where) {
      if (!empty) where.push_back({name, values(root, "")});
      return true;
    };
    if (role == "scheduler") return take(state_.schedulers);
    if (role == "scaler") return take(state_.scalers);
    if (role == "settings") return take(state_.settings);
    if (role == "sampler") return take(state_.samplers);
    return empty;
  }

 private:
  std::string place(const std::string& path) const { return object_.prefix + path; }
  Json values(NodeId node, const std::string& path) const {
    return training_settings(source_, tree_, node, path, object_.prefix);
  }
  bool is_weights(const std::string& path) const {
    return !path.empty() && std::ranges::find(weights_, path) != weights_.end();
  }

  void note_limit() {
    if (std::exchange(limited_, true)) return;
    state_.not_read.push_back(object_.prefix +
                              " holds more, or deeper, values than a training's file: the rest of "
                              "it was not looked at");
  }

  /// Parts whose key is there and that hold nothing: None, {}, [].
  bool note_empty(NodeId node, const std::string& key, const std::string& path) {
    const bool nothing = tree_.kind(node) == Kind::none ||
                         (is_sequence(tree_, node) && sequence_items(tree_, node).empty()) ||
                         (is_mapping(tree_, node) && mapping_items(tree_, node).empty());
    if (!nothing) return false;
    const bool is_part = says(key, "optim") || says(key, "sched") || is_scaler_key(key) ||
                         is_sampler_key(key) || is_rng_key(key) || is_average_key(key);
    if (is_part) state_.empty.push_back(place(path));
    return true;
  }

  bool take_named(NodeId node, const std::string& key, const std::string& path) {
    const bool mapping = is_mapping(tree_, node);
    const KeySet keys = mapping ? keys_of(mapping_items(tree_, node)) : KeySet();
    const auto take = [&](std::vector<PlacedValues>& where) {
      where.push_back({place(path), values(node, path)});
      return true;
    };
    if (mapping && is_schedule(keys)) return take(state_.schedulers);
    if (mapping && is_grad_scaler(keys)) return take(state_.scalers);
    if (is_average_key(key) && (mapping || tree_.kind(node) == Kind::object)) {
      state_.averages.push_back({place(path), nullptr});
      return true;
    }
    if (is_setting_key(key)) return take(state_.settings);
    if (key == "loops" && mapping) {
      state_.loops = values(node, path);
      return false;
    }
    if (says(key, "sched") && mapping) return take(state_.schedulers);
    if (is_scaler_key(key) && mapping) return take(state_.scalers);
    if (is_sampler_key(key)) {
      state_.samplers.push_back({place(path), values(node, path)});
      return false;  // generators may stand in it
    }
    return false;
  }

  void visit_items(const std::vector<KeyValue>& items, const std::string& path, int depth) {
    for (const KeyValue& item : items) {
      if (path == "callbacks") state_.callbacks.push_back(item.key);
      if (path.empty() && is_listed(kDeepSpeedKeys, item.key))
        state_.framework = TrainingFramework::deepspeed;
      visit(item.value, item.key, join_path(path, item.key), depth + 1);
    }
  }

  void visit_sequence(NodeId node, const std::string& key, const std::string& path, int depth) {
    const auto items = sequence_items(tree_, node);
    if (items.size() > kLongestList) return;
    std::size_t i = 0;
    for (const NodeId item : items)
      visit(item, key, join_path(path, std::to_string(i++)), depth + 1);
  }

  void visit_object(NodeId node, const std::string& key, const std::string& path, int depth) {
    const std::string name = class_of(tree_, node);
    if (name.ends_with("LossScaler")) {  // DeepSpeed's, whole
      state_.scalers.push_back({place(path), values(node, path)});
    } else if (name.find("lr_scheduler.") != std::string::npos) {
      state_.schedulers.push_back({place(path), values(node, path)});
    } else if (name.find(".optim.") != std::string::npos || name.ends_with("Optimizer")) {
      state_.whole_objects.push_back(path.empty() ? "the whole file" : place(path));
    } else if (!attributes(tree_, node).empty()) {
      visit_items(attributes(tree_, node), path, depth);
    } else {
      add_counter(node, key, path);
    }
  }

  void add_counter(NodeId node, const std::string& key, const std::string& path) {
    std::vector<PlacedValues>* where = counts_epochs(key)               ? &state_.epochs
                                       : counts_steps(key)              ? &state_.steps
                                       : is_listed(kPositionNames, key) ? &state_.positions
                                                                        : nullptr;
    // Elsewhere "batch" is a size.
    const bool inside = path.starts_with("loops.") || path.starts_with("callbacks.") ||
                        (key == "batch" && path != key);
    if (where == nullptr || inside || tree_.kind(node) == Kind::boolean) return;
    const auto number = number_at(source_, index_, tree_, node, place(path));
    Json value = tree_.kind(node) == Kind::object && !number ? values(node, path)
                 : number                                    ? json_number(*number)
                                                             : Json();
    if (value.is_number()) where->push_back({place(path), std::move(value)});
  }

  ResumeState& state_;
  const Checkpoint& source_;
  const TorchObject& object_;
  const Tree& tree_;
  const std::vector<std::string>& weights_;
  EntryIndex index_;
  int visited_ = 0;
  bool limited_ = false;
};

}  // namespace

void collect_resume_parts(ResumeState& state, const Checkpoint& source, const TorchObject& object,
                          const std::string& role, const std::vector<std::string>& weights) {
  PartWalk walk(state, source, object, weights);
  if (!role.empty() && walk.take_file(role)) return;
  walk.visit(object.root, "", "", 0);
}

}  // namespace samebits
