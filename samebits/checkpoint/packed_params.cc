#include "samebits/checkpoint/packed_params.h"

#include <cstring>
#include <memory>

#include "samebits/checkpoint/torch_files.h"
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

template <class T>
StoredTensor number_tensor(Checkpoint& checkpoint, const char* name, DType dtype, T number,
                           std::uint32_t file) {
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(sizeof number);
  std::memcpy(bytes->data(), &number, sizeof number);
  StoredTensor tensor;
  tensor.path = name;
  tensor.file = file;
  tensor.device = "cpu";
  tensor.storage = next_storage_id(checkpoint);
  tensor.storage_bytes = sizeof number;
  const Result<TensorView> view = TensorView::make(dtype, {}, {}, 0, *bytes);
  tensor.readable = view.has_value();
  if (view) tensor.view = *view;
  tensor.note = "a number of the module, and a tensor of its state_dict()";
  checkpoint.owned.push_back(bytes);
  return tensor;
}

}  // namespace

std::vector<StoredTensor> layer_numbers(Checkpoint& checkpoint, const ModuleRecord& module,
                                        std::uint32_t file) {
  std::vector<StoredTensor> tensors;
  const auto scale = module.hyper.find("scale");
  const auto zero = module.hyper.find("zero_point");
  const bool has_both = scale != module.hyper.end() && zero != module.hyper.end();
  if (!has_both || module.class_path.find("nn.quantized.") == std::string::npos ||
      !scale->is_number() || !zero->is_number_integer())
    return tensors;
  tensors.push_back(number_tensor(checkpoint, "scale", DType::float32, scale->get<float>(), file));
  tensors.push_back(
      number_tensor(checkpoint, "zero_point", DType::int64, zero->get<std::int64_t>(), file));
  tensors.back().storage = tensors.front().storage + 1;
  return tensors;
}

std::vector<KeyValue> packed_tensors(const Tree& tree, NodeId node) {
  std::vector<KeyValue> found;
  const NodeId state = packed_state(tree, node);
  if (state != kNone) collect_packed(tree, state, "", 0, &found);
  return found;
}

}  // namespace samebits
