#include "samebits/checkpoint/zero_states.h"

#include <algorithm>

namespace samebits {
namespace {

using pickle::kNone;
using pickle::Tree;

NamedShapes named_shapes(const Tree& tree, NodeId node) {
  NamedShapes shapes;
  for (const KeyValue& item : mapping_items(tree, node)) {
    if (const auto shape = size_of(tree, item.value)) shapes.emplace_back(item.key, *shape);
  }
  return shapes;
}

constexpr const char* kStageNames[] = {"disabled", "optimizer_states", "gradients", "weights"};

/// A number, or ZeroStageEnum's member: called with its number, or since Python 3.11 got by its
/// name.
std::optional<std::int64_t> enum_number(const Tree& tree, NodeId node) {
  if (node == kNone) return std::nullopt;
  if (const auto number = as_integer(tree, node)) return number;
  const auto arguments = elements(tree, tree.args(node));
  if (arguments.size() == 1) return as_integer(tree, arguments[0]);
  const auto name = arguments.size() == 2 ? as_string(tree, arguments[1]) : std::nullopt;
  const auto found = std::ranges::find(kStageNames, name.value_or(""));
  if (found == std::end(kStageNames)) return std::nullopt;
  return found - std::begin(kStageNames);
}

}  // namespace

ZeroModelState zero_model_state(const Tree& tree, NodeId root) {
  ZeroModelState state;
  if (!is_mapping(tree, root)) return state;
  for (const KeyValue& item : mapping_items(tree, root)) {
    if (item.key == "param_shapes" && is_sequence(tree, item.value)) {
      state.has_shapes = true;
      for (const NodeId group : sequence_items(tree, item.value))
        state.groups.push_back(named_shapes(tree, group));
    } else if (item.key == "frozen_param_shapes") {
      state.frozen = named_shapes(tree, item.value);
    } else if (item.key == "buffer_names") {
      for (const NodeId name : sequence_items(tree, item.value))
        state.buffers.push_back(as_string(tree, name).value_or(""));
    } else if (item.key == "shared_params") {
      for (const KeyValue& pair : mapping_items(tree, item.value))
        state.shared.emplace_back(pair.key, as_string(tree, pair.value).value_or(""));
    }
  }
  return state;
}

ZeroPartitionState zero_partition_state(const Tree& tree, NodeId root) {
  ZeroPartitionState state;
  const NodeId optimizer = tree.get(root, "optimizer_state_dict");
  if (optimizer == kNone) return state;
  state.stage = enum_number(tree, tree.get(optimizer, "zero_stage"));
  const NodeId count = tree.get(optimizer, "partition_count");
  const auto add = [&](NodeId node) {
    const auto number = enum_number(tree, node).value_or(0);
    if (number > 0)
      state.partitions = std::max(state.partitions, static_cast<std::uint64_t>(number));
  };
  if (is_sequence(tree, count))
    std::ranges::for_each(sequence_items(tree, count), add);
  else
    add(count);
  return state;
}

}  // namespace samebits
