#include "samebits/checkpoint/training_state.h"

#include <algorithm>
#include <array>

#include "samebits/checkpoint/candidates.h"
#include "samebits/checkpoint/plain_value.h"
#include "samebits/checkpoint/progress_words.h"
#include "samebits/checkpoint/torch_tensor.h"

namespace samebits {
namespace {

using pickle::Kind;
using pickle::kNone;
using pickle::Tree;

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// An empty list or dict, or None: the key is there, the state is not.
bool is_empty(const Tree& tree, NodeId node) {
  if (tree.kind(node) == Kind::none) return true;
  if (is_sequence(tree, node)) return sequence_items(tree, node).empty();
  return tree.kind(node) == Kind::dict && tree.pairs(node).empty();
}

/// "AdamW" cannot be known from a state dict; the moments that it keeps can.
std::string moments_of(const Tree& tree, NodeId optimizer) {
  const NodeId state = tree.get(optimizer, "state");
  const auto entries = mapping_items(tree, state);
  if (entries.empty()) return "no moments";
  std::string names;
  for (const KeyValue& item : mapping_items(tree, entries[0].value))
    names += (names.empty() ? "" : ", ") + item.key;
  return names;
}

class StateReader {
 public:
  StateReader(TrainingState& state, const Tree& tree) : state_(state), tree_(tree) {}

  void read(const KeyValue& item, const std::string& place) {
    if (is_empty(tree_, item.value)) return;
    const std::string& key = item.key;
    if (is_tensor(tree_, item.value)) {  // "downsamplers.0.weight" is no sampler
      if (holds_generators(tree_, item)) set(state_.rng, place);
      return;
    }
    if (is_step(item)) {
      set(state_.step, place);
      state_.values[place] = plain_value(tree_, item.value);
    } else if (const NodeId optimizer = optimizer_in(item.value); optimizer != kNone) {
      set(state_.optimizer, place);
      state_.values["moments"] = moments_of(tree_, optimizer);
    } else if (contains(key, "sched")) {
      set(state_.scheduler, place);
    } else if (contains(key, "scaler") || contains(key, "scaling") || key == "amp") {
      set(state_.scaler, place);
    } else if (is_rng_key(key)) {
      set(state_.rng, place);
    } else if (contains(key, "sampler") || contains(key, "dataloader") ||
               contains(key, "data_loader")) {
      set(state_.sampler, place);
    } else if (is_plain(item.value)) {
      return;  // n_averaged, use_ema_warmup, optimization_step: a count or a setting
    } else if (is_average_key(key)) {
      set(state_.ema, place);
    } else if (contains(key, "optim")) {
      set(named_only_, place);
    }
  }

  /// What is an optimizer's by its name alone counts where nothing is one by its form.
  void finish() {
    if (named_only_) set(state_.optimizer, *named_only_);
  }

 private:
  static void set(std::optional<std::string>& field, const std::string& place) {
    if (!field) field = place;
  }

  bool is_plain(NodeId value) const {
    switch (tree_.kind(value)) {
      case Kind::integer:
      case Kind::real:
      case Kind::boolean:
      case Kind::text: return true;
      default: return is_tensor(tree_, value);
    }
  }

  bool is_step(const KeyValue& item) const {
    const bool named = counts_steps(item.key) || counts_epochs(item.key);
    return named &&
           (tree_.kind(item.value) == Kind::integer || tree_.kind(item.value) == Kind::real);
  }

  /// The value itself, or the first element of a list of optimizer states.
  NodeId optimizer_in(NodeId value) const {
    if (is_optimizer_state(tree_, value)) return value;
    const auto items = elements(tree_, value);
    return !items.empty() && is_optimizer_state(tree_, items[0]) ? items[0] : kNone;
  }

  TrainingState& state_;
  const Tree& tree_;
  std::optional<std::string> named_only_;
};

void read_lightning(Checkpoint& checkpoint, const Tree& tree, const std::vector<KeyValue>& items) {
  for (const KeyValue& item : items) {
    if (item.key == "pytorch-lightning_version") {
      if (const auto version = as_string(tree, item.value))
        checkpoint.producer["lightning"] = *version;
    }
    if (item.key == "hyper_parameters") checkpoint.hyper_parameters = plain_value(tree, item.value);
  }
}

/// "state_dict.ema": where an AveragedModel lies among the weights, by its count and its module
/// (torch 2.13.0, optim/swa_utils.py).
std::optional<std::string> average_among_weights(const Checkpoint& checkpoint) {
  constexpr std::string_view kCount = ".n_averaged";
  for (const Candidate& candidate : checkpoint.candidates) {
    const auto name_of = [&](std::uint32_t entry) -> const std::string& {
      return checkpoint.entries[entry].name;
    };
    for (const std::uint32_t count : candidate.weights) {
      if (!name_of(count).ends_with(kCount)) continue;
      const std::string owner = name_of(count).substr(0, name_of(count).size() - kCount.size());
      const bool has_module = std::ranges::any_of(candidate.weights, [&](std::uint32_t entry) {
        return name_of(entry).starts_with(owner + ".module.");
      });
      if (has_module) return candidate.key.empty() ? owner : candidate.key + "." + owner;
    }
  }
  return std::nullopt;
}

}  // namespace

void read_training_state(Checkpoint& checkpoint, const Tree& tree, NodeId root) {
  if (is_optimizer_state(tree, root)) {
    checkpoint.training.optimizer = "the whole file";
    checkpoint.training.values["moments"] = moments_of(tree, root);
    return;
  }
  if (!is_mapping(tree, root)) return;
  const std::vector<KeyValue> items = mapping_items(tree, root);
  read_lightning(checkpoint, tree, items);
  StateReader reader(checkpoint.training, tree);
  for (const KeyValue& item : items) {
    const bool weights = std::any_of(checkpoint.candidates.begin(), checkpoint.candidates.end(),
                                     [&](const Candidate& c) { return c.key == item.key; });
    if (!weights || is_average_key(item.key)) reader.read(item, item.key);
  }
  reader.finish();
  TrainingState& training = checkpoint.training;
  if (has_training_state(training) && !training.ema)
    training.ema = average_among_weights(checkpoint);
}

bool has_training_state(const TrainingState& training) {
  return training.optimizer || training.step || training.scheduler || training.scaler ||
         training.rng || training.sampler || training.ema;
}

}  // namespace samebits
