#include "samebits/checkpoint/packed_params.h"

#include "samebits/checkpoint/torch_tensor.h"

namespace samebits {
namespace {

using pickle::Kind;
using pickle::kNone;
using pickle::Tree;

constexpr std::string_view kPackedClasses = "__torch__.torch.classes.";
constexpr std::size_t kMostPacked = 256;  // of one object; an LSTM cell keeps four
constexpr int kDeepestPacked = 4;

/// The state that such an object was given, without its class's name; kNone for other nodes.
NodeId packed_state(const Tree& tree, NodeId node) {
  if (tree.kind(node) != Kind::object || tree.states(node).size() != 1) return kNone;
  const NodeId state = tree.states(node)[0];
  const std::string name = class_of(tree, node);
  if (name.starts_with(kPackedClasses)) return state;
  const auto parts = elements(tree, state);
  if (name != "torch.ScriptObject" || parts.size() != 2) return kNone;
  const auto inner = as_string(tree, parts[1]);
  return inner && inner->starts_with(kPackedClasses) ? parts[0] : kNone;
}

void collect_packed(const Tree& tree, NodeId node, const std::string& path, int depth,
                    std::vector<KeyValue>* found) {
  if (found->size() >= kMostPacked || depth > kDeepestPacked) return;
  if (is_tensor(tree, node)) {
    found->push_back({.key = path, .key_node = kNone, .value = node});
    return;
  }
  std::size_t i = 0;
  for (const NodeId item : elements(tree, node))
    collect_packed(tree, item, join_path(path, std::to_string(i++)), depth + 1, found);
}

}  // namespace

std::vector<KeyValue> packed_tensors(const Tree& tree, NodeId node) {
  std::vector<KeyValue> found;
  const NodeId state = packed_state(tree, node);
  if (state != kNone) collect_packed(tree, state, "", 0, &found);
  return found;
}

}  // namespace samebits
