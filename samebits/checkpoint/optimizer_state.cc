#include "samebits/checkpoint/optimizer_state.h"

#include <algorithm>
#include <array>

#include "samebits/checkpoint/plain_value.h"
#include "samebits/tensor/dtype.h"

namespace samebits {
namespace {

using pickle::Kind;
using pickle::kNone;
using pickle::Tree;

// Options of groups by which an optimizer keeps a state: all of torch's but SGD without momentum,
// and transformers' Adafactor.
constexpr std::array kStateOptions =
    std::to_array<std::string_view>({"betas", "alpha", "rho", "lr_decay", "etas", "beta2_decay",
                                     "decay_rate", "history_size", "ns_steps"});

struct NamedKind {
  std::string_view tensor, option, kind;
};
// The first row whose tensor or option is there.
constexpr NamedKind kOptimizerKinds[] = {
    {"", "ns_steps", "Muon"},           {"", "lambd", "ASGD"},
    {"", "history_size", "LBFGS"},      {"", "beta2_decay", "Adafactor"},
    {"", "relative_step", "Adafactor"}, {"exp_inf", "", "Adamax"},
    {"mu_product", "", "NAdam"},        {"exp_avg_sq_row", "", "Adafactor"},
    {"", "amsgrad", "Adam or AdamW"},   {"exp_avg_sq", "", "Adam or its kin"},
    {"acc_delta", "rho", "Adadelta"},   {"state1", "", "an optimizer of bitsandbytes"},
    {"square_avg", "alpha", "RMSprop"}, {"sum", "lr_decay", "Adagrad"},
    {"prev", "etas", "Rprop"},          {"", "nesterov", "SGD"},
    {"momentum_buffer", "", "SGD"},     {"", "betas", "Adam or its kin"},
};

struct NeededState {
  std::string_view option;   // a group of the optimizer has it
  std::string_view without;  // and not this one; "" for any
  std::string_view flag;     // and this one is on; "" for any
  std::array<std::string_view, 3> names;
};
// "step" is a number or a tensor; numbers of other names (eta, mu_product) are not read.
constexpr NeededState kNeededStates[] = {
    {"amsgrad", "", "", {"step", "exp_avg", "exp_avg_sq"}},
    {"amsgrad", "", "amsgrad", {"max_exp_avg_sq"}},
    {"momentum_decay", "", "", {"step", "exp_avg", "exp_avg_sq"}},
    {"rho", "", "", {"step", "square_avg", "acc_delta"}},
    {"lr_decay", "", "", {"step", "sum"}},
    {"centered", "", "", {"step", "square_avg"}},
    {"centered", "", "centered", {"grad_avg"}},
    {"centered", "", "momentum", {"momentum_buffer"}},
    {"etas", "", "", {"step", "prev", "step_size"}},
    {"lambd", "", "", {"step", "ax"}},
    {"beta2_decay", "", "", {"step"}},
    // RAdam and Adamax are told apart by what they have no option for.
    {"decoupled_weight_decay", "amsgrad", "", {"step", "exp_avg", "exp_avg_sq"}},
};

std::string printed_key(const Tree& tree, NodeId key) {
  if (tree.kind(key) == Kind::integer) return std::to_string(tree.integer(key));
  return "'" + as_string(tree, key).value_or("?") + "'";
}

bool is_on(const Json& options, const char* name) {
  const auto found = options.find(name);
  return found != options.end() && (found->is_number() ? found->get<double>() != 0
                                                       : found->is_boolean() && found->get<bool>());
}

ParameterGroup read_parameter_group(const Checkpoint& checkpoint, const EntryIndex& index,
                                    const Tree& tree, NodeId node, const std::string& path) {
  ParameterGroup group;
  for (const KeyValue& item : mapping_items(tree, node)) {
    if (item.key == "params") {
      for (const NodeId each : sequence_items(tree, item.value))
        group.keys.push_back(printed_key(tree, each));
    } else if (item.key == "param_names") {
      for (const NodeId each : sequence_items(tree, item.value))
        group.names.push_back(as_string(tree, each).value_or("?"));
    } else if (tree.kind(item.value) != Kind::none) {
      Json value = plain_value(tree, item.value);
      if (value == "tensor") {
        const auto number =
            number_at(checkpoint, index, tree, item.value, join_path(path, item.key));
        if (number) value = json_number(*number);
      }
      group.options[item.key] = std::move(value);
    }
  }
  return group;
}

/// Tensors of a parameter's state by their own names, but its step; those of an optimizer of
/// bitsandbytes stand in a mapping of their own ("__bnb_optimizer_quant_state__").
void add_state_tensors(const EntryIndex& index, const Tree& tree, NodeId node,
                       const std::string& path, int depth, ParameterState* state) {
  constexpr int kDeepest = 4;
  for (const KeyValue& part : mapping_items(tree, node)) {
    if (part.key == "step") continue;
    const std::string place = join_path(path, part.key);
    if (const auto entry = index.find(place); entry != index.end()) {
      state->tensors.emplace_back(part.key, entry->second);
    } else if (depth < kDeepest && is_mapping(tree, part.value)) {
      add_state_tensors(index, tree, part.value, place, depth + 1, state);
    }
  }
}

ParameterState read_parameter_state(const Checkpoint& checkpoint, const EntryIndex& index,
                                    const Tree& tree, const KeyValue& item,
                                    const std::string& path) {
  ParameterState state;
  state.key = printed_key(tree, item.key_node);
  if (!is_mapping(tree, item.value)) return state;
  for (const KeyValue& part : mapping_items(tree, item.value)) {
    if (part.key == "step")
      state.step = number_at(checkpoint, index, tree, part.value, join_path(path, part.key));
  }
  add_state_tensors(index, tree, item.value, path, 0, &state);
  return state;
}

}  // namespace

EntryIndex index_entries(const Checkpoint& checkpoint) {
  EntryIndex index;
  for (std::size_t i = 0; i < checkpoint.entries.size(); ++i)
    index.emplace(checkpoint.entries[i].path, static_cast<std::uint32_t>(i));
  return index;
}

std::optional<double> number_at(const Checkpoint& checkpoint, const EntryIndex& index,
                                const Tree& tree, NodeId node, const std::string& path) {
  if (tree.kind(node) == Kind::integer) return static_cast<double>(tree.integer(node));
  if (tree.kind(node) == Kind::real) return tree.real(node);
  const auto found = index.find(path);
  if (found == index.end()) return std::nullopt;
  const StoredTensor& tensor = checkpoint.entries[found->second];
  const bool single = tensor.readable && tensor.view.numel() == 1 &&
                      has_element_values(tensor.view.dtype()) &&
                      tensor.view.dtype() != DType::boolean;
  if (!single) return std::nullopt;
  std::vector<std::uint8_t> buffer;
  return element_as_double(tensor.view.dtype(), tensor.view.row_major_range(0, 1, buffer).data());
}

std::size_t OptimizerState::listed() const {
  std::size_t count = 0;
  for (const ParameterGroup& group : groups) count += group.keys.size();
  return count;
}

bool says_state(std::string_view option, const Json& value) {
  if (option == "momentum") return value.is_number() && value.get<double>() != 0;
  return std::ranges::find(kStateOptions, option) != kStateOptions.end();
}

bool OptimizerState::keeps_moments() const {
  return std::ranges::any_of(groups, [](const ParameterGroup& group) {
    return std::ranges::any_of(group.options.items(), [](const auto& option) {
      return says_state(option.key(), option.value());
    });
  });
}

bool OptimizerState::keeps_one_state() const {
  return std::ranges::any_of(
      groups, [](const ParameterGroup& group) { return group.options.contains("history_size"); });
}

bool OptimizerState::is_of_torch() const {
  return !groups.empty() && std::ranges::all_of(groups, [](const ParameterGroup& group) {
    return group.options.contains("maximize") && group.options.contains("differentiable");
  });
}

bool OptimizerState::shows_a_schedule() const {
  return std::ranges::any_of(
      groups, [](const ParameterGroup& group) { return group.options.contains("initial_lr"); });
}

std::vector<std::pair<std::string, std::size_t>> OptimizerState::lacking() const {
  std::vector<std::pair<std::string, std::size_t>> found;
  if (!is_of_torch()) return found;
  const Json& options = groups[0].options;
  const auto has = [&](std::string_view name) { return options.contains(std::string(name)); };
  const auto holds = [](const ParameterState& state, std::string_view name) {
    return (name == "step" && state.step) ||
           std::ranges::any_of(state.tensors, [&](const auto& each) { return each.first == name; });
  };
  for (const NeededState& need : kNeededStates) {
    const bool applies = has(need.option) && (need.without.empty() || !has(need.without)) &&
                         (need.flag.empty() || is_on(options, std::string(need.flag).c_str()));
    if (!applies) continue;
    for (const std::string_view name : need.names) {
      const auto without = static_cast<std::size_t>(std::ranges::count_if(
          parameters, [&](const ParameterState& state) { return !holds(state, name); }));
      const bool known =
          std::ranges::any_of(found, [&](const auto& each) { return each.first == name; });
      if (!name.empty() && without > 0 && !known) found.emplace_back(name, without);
    }
  }
  return found;
}

std::string OptimizerState::kind() const {
  const auto has_tensor = [&](std::string_view name) {
    return std::ranges::any_of(parameters, [&](const ParameterState& state) {
      return std::ranges::any_of(state.tensors,
                                 [&](const auto& tensor) { return tensor.first == name; });
    });
  };
  const auto has_option = [&](std::string_view name) {
    return std::ranges::any_of(groups, [&](const ParameterGroup& group) {
      return group.options.contains(std::string(name));
    });
  };
  if (has_option("decoupled_weight_decay")) {
    if (has_option("momentum_decay")) return "NAdam";
    if (!has_option("amsgrad")) return "RAdam";
    return is_on(groups[0].options, "decoupled_weight_decay") ? "AdamW" : "Adam";
  }
  for (const NamedKind& row : kOptimizerKinds) {
    const bool by_option = !row.option.empty() && has_option(row.option);
    const bool by_tensor = !row.tensor.empty() && has_tensor(row.tensor);
    if (by_option || by_tensor) return std::string(row.kind);
  }
  return "";
}

OptimizerState read_optimizer_state(const Checkpoint& checkpoint, const EntryIndex& index,
                                    const Tree& tree, NodeId node, const std::string& path) {
  OptimizerState state;
  const bool is_file = path.empty() || path.ends_with(':');
  const auto below = [&](std::string_view key) {
    return is_file ? path + std::string(key) : join_path(path, key);
  };
  state.place = path.empty() ? "the whole file" : is_file ? path.substr(0, path.size() - 1) : path;
  std::size_t i = 0;
  for (const NodeId group : sequence_items(tree, tree.get(node, "param_groups")))
    state.groups.push_back(read_parameter_group(checkpoint, index, tree, group,
                                                below("param_groups." + std::to_string(i++))));
  for (const KeyValue& item : mapping_items(tree, tree.get(node, "state")))
    state.parameters.push_back(
        read_parameter_state(checkpoint, index, tree, item, below("state." + item.key)));
  return state;
}

}  // namespace samebits
