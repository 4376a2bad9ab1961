#include "samebits/checkpoint/stored_values.h"

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "samebits/base/json.h"
#include "samebits/checkpoint/candidates.h"
#include "samebits/checkpoint/module_tree.h"
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
  return key.ends_with("_extra_state") || key.find("_packed_params") != std::string::npos;
}

std::string short_text(const Tree& tree, NodeId node) {
  constexpr std::size_t kLongest = 60;
  const std::string text = json_text(plain_value(tree, node));
  return text.size() <= kLongest ? text : std::string();
}

void add_value(Checkpoint& checkpoint, const Tree& tree, NodeId node, const std::string& path,
               bool loaded) {
  if (tree.kind(node) == Kind::none && !loaded) return;
  if (checkpoint.values.size() >= kMostValues || is_tensor(tree, node)) return;
  const TreeDigest digest = digest_of_tree(tree, node);
  checkpoint.values.push_back({.path = path,
                               .loaded = loaded,
                               .text = short_text(tree, node),
                               .digest = digest.digest,
                               .complete = digest.complete});
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

void add_beside(Checkpoint& checkpoint, const Tree& tree, NodeId node, const std::string& path) {
  if (is_candidate(checkpoint, path) || is_module(tree, node) || is_optimizer_state(tree, node))
    return;
  if (holds_candidate(checkpoint, path) && is_mapping(tree, node)) {
    for (const KeyValue& item : mapping_items(tree, node))
      add_beside(checkpoint, tree, item.value, join_path(path, item.key));
    return;
  }
  add_value(checkpoint, tree, node, path, false);
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

void collect_values(Checkpoint& checkpoint, const Tree& tree, NodeId root) {
  const std::string key = checkpoint.has_weights() ? checkpoint.weights().key : "";
  const auto weights = node_at(tree, root, key);
  if (checkpoint.has_weights() && weights && is_mapping(tree, *weights) &&
      !is_module(tree, *weights)) {
    for (const KeyValue& item : mapping_items(tree, *weights)) {
      const bool loaded = is_module_state(item.key);
      if (loaded || key.empty())
        add_value(checkpoint, tree, item.value, item.key, loaded);
      else
        add_value(checkpoint, tree, item.value, join_path(key, item.key), false);
    }
  }
  if (checkpoint.has_weights() && key.empty()) return;
  if (is_mapping(tree, root) && !is_module(tree, root)) {
    for (const KeyValue& item : mapping_items(tree, root))
      add_beside(checkpoint, tree, item.value, item.key);
  }
  std::size_t i = 0;
  for (const NodeId item : sequence_items(tree, root))
    add_beside(checkpoint, tree, item, std::to_string(i++));
}

void mark_placeholders(Checkpoint& checkpoint, const Tree& tree, NodeId root) {
  if (!is_mapping(tree, root) || !checkpoint.has_weights()) return;
  const auto shapes = placeholder_shapes(tree, root);
  std::vector<std::string> names;
  for (const std::uint32_t index : checkpoint.weights().weights) {
    StoredTensor& tensor = checkpoint.entries[index];
    const auto found = shapes.find(tensor.name);
    if (found == shapes.end() || tensor.view.numel() != 0) continue;
    Result<TensorView> view = TensorView::valueless(tensor.view.dtype(), found->second);
    if (!view || view->numel() == 0) continue;
    tensor.view = std::move(*view);
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
       .hint = "Put them together with zero_to_fp32.py, which lies in the checkpoint's folder, and "
               "name the file that it writes"});
  checkpoint.oddities.push_back(
      {.kind = Oddity::Kind::incomplete,
       .summary = fmt::format("{} weights are placeholders without values (ZeRO stage 3); the "
                              "values are in *_optim_states.pt",
                              names.size()),
       .tensors = std::move(names)});
}

}  // namespace samebits
