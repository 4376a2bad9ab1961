// What Optimizer.state_dict() holds, typed: parameter groups, and the state of each parameter.
//
// Source: torch/optim/optimizer.py (state_dict, load_state_dict) of torch 2.13: the parameters of a
// group are listed by number in the order in which the groups were built, and load_state_dict()
// assigns them by place. Values of tensors are not read here, but for steps of one element.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/checkpoint/tree_view.h"

namespace samebits {

/// Entries of a checkpoint by path.
using EntryIndex = std::unordered_map<std::string, std::uint32_t>;
EntryIndex index_entries(const Checkpoint& checkpoint);

struct ParameterState {
  std::string key;             // as Python prints it: "0", "'0'", "'fc.weight'"
  std::optional<double> step;  // where it keeps one
  std::vector<std::pair<std::string, std::uint32_t>> tensors;  // "exp_avg" and its entry
};

struct ParameterGroup {
  std::vector<std::string> keys;   // of its parameters, as printed, in order
  std::vector<std::string> names;  // "param_names", where the optimizer was given names
  Json options = Json::object();   // all else that is not None
};

struct OptimizerState {
  std::string place;  // "optimizer", "optimizer_states.0", "optimizer.pt"
  std::vector<ParameterGroup> groups;
  std::vector<ParameterState> parameters;

  std::size_t listed() const;    // parameters in the groups
  bool keeps_moments() const;    // a group has betas, a momentum or the like
  bool keeps_one_state() const;  // for all parameters together, under the first one's key (LBFGS)
  bool is_of_torch() const;      // its groups have the options that all of torch's have
  /// A group has initial_lr, which torch's schedules leave in those that they drive; all but
  /// ReduceLROnPlateau, which is no LRScheduler by its construction (torch 2.13.0).
  bool shows_a_schedule() const;
  /// Of torch's own optimizers: what step() needs of each parameter's state, and how many of those
  /// that have a state lack it. Source: torch 2.13.0, torch/optim.
  std::vector<std::pair<std::string, std::size_t>> lacking() const;
  /// "Adam or AdamW", "AdamW", "SGD", ... by what its groups and states hold; "" where nothing
  /// tells.
  std::string kind() const;
};

/// An option of a group by which an optimizer keeps a state.
bool says_state(std::string_view option, const Json& value);

/// A number: Python's own, or a tensor of one element at `path`; nothing for anything else.
std::optional<double> number_at(const Checkpoint& checkpoint, const EntryIndex& index,
                                const pickle::Tree& tree, NodeId node, const std::string& path);

/// Requires is_optimizer_state(). `path` is that of its entries, with the file's prefix.
OptimizerState read_optimizer_state(const Checkpoint& checkpoint, const EntryIndex& index,
                                    const pickle::Tree& tree, NodeId node, const std::string& path);

}  // namespace samebits
