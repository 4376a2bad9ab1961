#include "samebits/checkpoint/stored_values.h"

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "samebits/base/json.h"
#include "samebits/checkpoint/candidates.h"
#include "samebits/checkpoint/module_tree.h"
#include "samebits/checkpoint/numpy_objects.h"
#include "samebits/checkpoint/plain_value.h"
#include "samebits/checkpoint/torch_tensor.h"
#include "samebits/checkpoint/tree_digest.h"

namespace samebits {
namespace {

using pickle::Kind;
using pickle::kNone;
using pickle::Tree;

constexpr std::size_t kMostValues = 10'000;

/// What load_state_dict() hands to a module although it is no tensor.
bool is_module_state(const std::string& key) {
  // The type that was packed is that of its tensors.
  if (key.ends_with("_packed_params.dtype")) return false;
  return key.ends_with("_extra_state") || key.find("_packed_params") != std::string::npos;
}

/// Tensors in tuples, and None: entries, which are compared by themselves.
bool holds_tensors_only(const Tree& tree, NodeId node, int depth = 0) {
  constexpr int kDeepestTuple = 4;
  if (tree.kind(node) == Kind::none || is_tensor(tree, node)) return true;
  if (tree.kind(node) != Kind::tuple || depth > kDeepestTuple) return false;
  return std::ranges::all_of(
      elements(tree, node), [&](NodeId item) { return holds_tensors_only(tree, item, depth + 1); });
}

std::string short_text(const Tree& tree, NodeId node) {
  constexpr std::size_t kLongest = 60;
  const std::string text = json_text(plain_value(tree, node));
  return text.size() <= kLongest ? text : std::string();
}

struct ValueList {
  Checkpoint& checkpoint;
  const Tree& tree;
  bool arrays_are_tensors = false;            // numpy arrays are entries, and compared as such
  std::map<NodeId, TreeDigest> digests = {};  // what a pickle names again is read once
};

void add_value(ValueList& values, NodeId node, const std::string& path, bool loaded) {
  const Tree& tree = values.tree;
  std::vector<StoredValue>& list = values.checkpoint.values;
  if ((tree.kind(node) == Kind::none && !loaded) || is_tensor(tree, node)) return;
  if (values.arrays_are_tensors && is_numpy_array(tree, node)) return;
  if (list.size() > kMostValues) return;
  if (list.size() == kMostValues)
    return list.push_back(
        {.path = "further values", .loaded = {}, .text = {}, .digest = {}, .complete = false});
  auto known = values.digests.find(node);
  if (known == values.digests.end())
    known = values.digests.emplace(node, digest_of_tree(tree, node)).first;
  list.push_back({.path = path,
                  .loaded = loaded,
                  .text = short_text(tree, node),
                  .digest = known->second.digest,
                  .complete = known->second.complete});
}

/// The node under a dotted key, or nothing.
std::optional<NodeId> node_at(const Tree& tree, NodeId node, std::string_view key) {
  if (key.empty()) return node;
  std::size_t i = 0;
  const auto below = [&](std::string_view name, NodeId value) -> std::optional<NodeId> {
    if (name.empty() || !key.starts_with(name)) return std::nullopt;
    if (key.size() == name.size()) return value;
    if (key[name.size()] != '.') return std::nullopt;
    return node_at(tree, value, key.substr(name.size() + 1));
  };
  if (is_mapping(tree, node)) {
    for (const KeyValue& item : mapping_items(tree, node))
      if (const auto found = below(item.key, item.value)) return found;
  }
  for (const NodeId item : sequence_items(tree, node))
    if (const auto found = below(std::to_string(i++), item)) return found;
  return std::nullopt;
}

bool is_candidate(const Checkpoint& checkpoint, const std::string& path) {
  return std::any_of(checkpoint.candidates.begin(), checkpoint.candidates.end(),
                     [&](const Candidate& each) { return each.key == path; });
}

bool holds_candidate(const Checkpoint& checkpoint, const std::string& path) {
  return std::any_of(checkpoint.candidates.begin(), checkpoint.candidates.end(),
                     [&](const Candidate& each) { return each.key.starts_with(path + "."); });
}

/// An object that keeps all it is in one dict: argparse.Namespace and its like.
bool has_attributes_only(const Tree& tree, NodeId node) {
  return tree.kind(node) == Kind::object && !is_mapping(tree, node) && tree.items(node).empty() &&
         tree.kwargs(node) == kNone && tree.states(node).size() == 1 &&
         is_mapping(tree, tree.states(node)[0]);
}

/// The parts of a value, by name: items of a dict, attributes, elements that are no plain numbers
/// or text.
std::vector<KeyValue> value_parts(const Tree& tree, NodeId node) {
  if (is_mapping(tree, node)) return mapping_items(tree, node);
  if (has_attributes_only(tree, node)) {
    std::vector<KeyValue> parts = attributes(tree, node);
    parts.push_back({.key = "class", .value = tree.callable(node)});
    if (!elements(tree, tree.args(node)).empty())
      parts.push_back({.key = "arguments", .value = tree.args(node)});
    return parts;
  }
  if (tree.kind(node) != Kind::list && tree.kind(node) != Kind::tuple) return {};
  std::vector<KeyValue> parts;
  bool composite = false;
  for (const NodeId item : elements(tree, node)) {
    parts.push_back({.key = std::to_string(parts.size()), .value = item});
    composite = composite || tree.kind(item) == Kind::object || is_mapping(tree, item) ||
                !elements(tree, item).empty();
  }
  return composite ? parts : std::vector<KeyValue>();
}

/// Each value of dicts in dicts by itself, so that what differs can be named.
void add_parts(ValueList& values, NodeId node, const std::string& path, int depth) {
  constexpr int kDeepest = 8;
  constexpr std::size_t kMostParts = 256;
  if (values.checkpoint.values.size() > kMostValues) return;
  const std::vector<KeyValue> parts = value_parts(values.tree, node);
  if (depth >= kDeepest || parts.empty() || parts.size() > kMostParts ||
      is_tensor(values.tree, node) || is_optimizer_state(values.tree, node))
    return add_value(values, node, path, false);
  for (const KeyValue& part : parts)
    add_parts(values, part.value, join_path(path, part.key), depth + 1);
}

void add_beside(ValueList& values, NodeId node, const std::string& path) {
  const Tree& tree = values.tree;
  if (is_candidate(values.checkpoint, path) || is_module(tree, node) ||
      is_optimizer_state(tree, node))
    return;
  if (holds_candidate(values.checkpoint, path) && is_mapping(tree, node)) {
    for (const KeyValue& item : mapping_items(tree, node))
      add_beside(values, item.value, join_path(path, item.key));
    return;
  }
  add_parts(values, node, path, 0);
}

/// {"module": ..., "param_shapes": [{name: shape}], ...}
std::map<std::string, Shape> placeholder_shapes(const Tree& tree, NodeId root) {
  std::map<std::string, Shape> shapes;
  for (const char* key : {"param_shapes", "frozen_param_shapes"}) {
    const auto found = node_at(tree, root, key);
    if (!found) continue;
    std::vector<NodeId> groups = {*found};
    const auto several = sequence_items(tree, *found);
    groups.insert(groups.end(), several.begin(), several.end());
    for (const NodeId group : groups) {
      for (const KeyValue& item :
           is_mapping(tree, group) ? mapping_items(tree, group) : std::vector<KeyValue>()) {
        NodeId size = item.value;
        if (class_of(tree, size) == "torch.Size" && !elements(tree, tree.args(size)).empty())
          size = elements(tree, tree.args(size))[0];
        Shape shape;
        for (const NodeId each : elements(tree, size))
          shape.push_back(as_integer(tree, each).value_or(0));
        shapes[item.key] = std::move(shape);
      }
    }
  }
  return shapes;
}

}  // namespace

void collect_values(Checkpoint& checkpoint, const Tree& tree, NodeId root,
                    bool arrays_are_tensors) {
  ValueList values{checkpoint, tree, arrays_are_tensors};
  const std::string key = checkpoint.has_weights() ? checkpoint.weights().key : "";
  const auto weights = node_at(tree, root, key);
  if (checkpoint.has_weights() && weights && is_mapping(tree, *weights) &&
      !is_module(tree, *weights)) {
    for (const KeyValue& item : mapping_items(tree, *weights)) {
      const bool packed = item.key.find("_packed_params") != std::string::npos;
      if (packed && holds_tensors_only(tree, item.value)) continue;
      if (is_module_state(item.key))
        add_value(values, item.value, item.key, true);
      else
        add_parts(values, item.value, join_path(key, item.key), 0);
    }
  }
  if (checkpoint.has_weights() && key.empty()) return;
  if (is_mapping(tree, root) && !is_module(tree, root)) {
    for (const KeyValue& item : mapping_items(tree, root)) add_beside(values, item.value, item.key);
  }
  std::size_t i = 0;
  for (const NodeId item : sequence_items(tree, root))
    add_beside(values, item, std::to_string(i++));
}

void mark_flat_parameters(Checkpoint& checkpoint) {
  if (!checkpoint.has_weights()) return;
  std::vector<std::string> names;
  for (const std::uint32_t index : checkpoint.weights().weights)
    if (checkpoint.entries[index].name.ends_with("_flat_param"))
      names.push_back(checkpoint.entries[index].name);
  if (names.empty()) return;
  checkpoint.oddities.push_back(
      {.kind = Oddity::Kind::incomplete,
       .summary = fmt::format(
           "{} of FSDP {} the weights of modules end to end, without their names "
           "and shapes: {}{}",
           names.size() == 1 ? "a flat parameter" : fmt::format("{} flat parameters", names.size()),
           names.size() == 1 ? "holds" : "hold", names[0], names.size() > 1 ? " among them" : ""),
       .tensors = std::move(names),
       .remedy = "Load it into the same model under FSDP, on as many processes, and save it there "
                 "with StateDictType.FULL_STATE_DICT"});
}

void mark_placeholders(Checkpoint& checkpoint, const Tree& tree, NodeId root) {
  if (!is_mapping(tree, root) || !checkpoint.has_weights()) return;
  const auto shapes = placeholder_shapes(tree, root);
  const bool deepspeed = node_at(tree, root, "ds_version").has_value();
  std::vector<std::string> names;
  for (const std::uint32_t index : checkpoint.weights().weights) {
    StoredTensor& tensor = checkpoint.entries[index];
    if (tensor.view.numel() != 0) continue;
    const auto found = shapes.find(tensor.name);
    // Of older files DeepSpeed's mark alone says it, and no shape.
    const bool unknown = found == shapes.end() && deepspeed && tensor.view.shape() == Shape{0};
    if (found == shapes.end() && !unknown) continue;
    if (!unknown) {
      Result<TensorView> view = TensorView::valueless(tensor.view.dtype(), found->second);
      if (!view || view->numel() == 0) continue;
      tensor.view = std::move(*view);
    }
    tensor.readable = false;
    tensor.absent = true;
    tensor.note = "a placeholder of ZeRO stage 3: the values are in *_optim_states.pt";
    names.push_back(tensor.name);
  }
  if (names.empty()) return;
  checkpoint.unread.push_back(
      {.code = ErrorCode::unsupported,
       .what = fmt::format("{} weights are only placeholders of DeepSpeed's ZeRO stage 3, {} among "
                           "them: their values are in the *_optim_states.pt of all ranks",
                           names.size(), names[0]),
       .file = checkpoint.path,
       .hint = "Name the checkpoint's folder: its partitions are then put together, as "
               "zero_to_fp32.py does"});
  checkpoint.oddities.push_back(
      {.kind = Oddity::Kind::incomplete,
       .summary = fmt::format("{} weights are placeholders without values (ZeRO stage 3); the "
                              "values are in *_optim_states.pt",
                              names.size()),
       .tensors = std::move(names),
       .remedy = "Name the checkpoint's folder, whose partitions are then put together as "
                 "zero_to_fp32.py does"});
}

}  // namespace samebits
