#include "samebits/checkpoint/module_tree.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/packed_params.h"
#include "samebits/checkpoint/plain_value.h"
#include "samebits/checkpoint/torch_tensor.h"

namespace samebits {
namespace {

using pickle::Kind;
using pickle::kNone;
using pickle::Tree;

constexpr std::array kHookDicts = std::to_array<std::string_view>({
    "_backward_hooks",
    "_backward_pre_hooks",
    "_forward_hooks",
    "_forward_pre_hooks",
    "_load_state_dict_post_hooks",
    "_load_state_dict_pre_hooks",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
});

bool is_scalar(const Tree& tree, NodeId node) {
  switch (tree.kind(node)) {
    case Kind::none:
    case Kind::boolean:
    case Kind::integer:
    case Kind::real:
    case Kind::text:
    case Kind::global: return true;
    default: return false;
  }
}

/// A number, a name, or a short list of such: what a constructor was told.
bool is_hyper_parameter(const Tree& tree, NodeId node) {
  if (is_scalar(tree, node)) return true;
  if (tree.kind(node) == Kind::tuple || tree.kind(node) == Kind::list) {
    const auto items = tree.items(node);
    return items.size() <= 8 && std::all_of(items.begin(), items.end(),
                                            [&](NodeId item) { return is_scalar(tree, item); });
  }
  return tree.kind(node) == Kind::object &&
         (class_of(tree, node) == "torch.device" || class_of(tree, node) == "torch.Size");
}

/// What torch.compile() wraps: OptimizedModule(module, context); or kNone.
NodeId compiled_module(const Tree& tree, NodeId node) {
  if (tree.kind(node) != Kind::object ||
      class_of(tree, tree.callable(node)) != "torch._dynamo.eval_frame.OptimizedModule")
    return kNone;
  const auto args = elements(tree, tree.args(node));
  return args.empty() ? kNone : args[0];
}

bool has_module_state(const Tree& tree, NodeId node) {
  if (tree.kind(node) != Kind::object || tree.states(node).empty()) return false;
  return attribute(tree, node, "_modules") != kNone &&
         attribute(tree, node, "_parameters") != kNone;
}

class Reader {
 public:
  explicit Reader(const Tree& tree)
      : tree_(tree),
        most_modules_(kLimits.tree_repeats + tree.size()),
        most_characters_(kLimits.module_characters +
                         kLimits.module_characters_per_node * tree.size()) {}

  void read(NodeId node, const std::string& path) {
    if (on_path_.count(node) != 0) return;
    if (depth_ >= kLimits.tree_depth || result_.modules.size() >= most_modules_ ||
        path.size() > kLimits.path_characters || characters_ > most_characters_) {
      result_.complete = false;
      return;
    }
    const NodeId compiled = compiled_module(tree_, node);
    const std::vector<KeyValue> state = attributes(tree_, compiled == kNone ? node : compiled);
    count_characters(state, path);
    const std::size_t index = result_.modules.size();
    result_.modules.push_back(record(node, path, state));
    result_.module_nodes.push_back(node);
    if (compiled != kNone) return read_compiled(node, compiled, path, index);
    registered(state, path, index);
    const auto children = std::find_if(state.begin(), state.end(),
                                       [](const KeyValue& item) { return item.key == "_modules"; });
    if (children == state.end()) return;
    on_path_.insert(node);
    ++depth_;
    for (const KeyValue& child : mapping_items(tree_, children->value)) {
      if (is_module(tree_, child.value)) read(child.value, join_path(path, child.key));
    }
    --depth_;
    on_path_.erase(node);
  }

  ModuleTree take() { return std::move(result_); }

 private:
  void count_characters(const std::vector<KeyValue>& state, const std::string& path) {
    characters_ += path.size();
    for (const KeyValue& item : state) {
      characters_ += item.key.size();
      if (tree_.kind(item.value) == Kind::text) characters_ += tree_.text(item.value).size();
    }
  }

  /// False where the tensor's name is longer than any that is followed.
  bool count_tensor(const std::string& path, const std::string& name) {
    characters_ += path.size() + name.size();
    if (path.size() + name.size() <= kLimits.path_characters && characters_ <= most_characters_)
      return true;
    result_.complete = false;
    return false;
  }

  /// The wrapper has the mode of what it wraps, and nothing else of its own.
  void read_compiled(NodeId node, NodeId compiled, const std::string& path, std::size_t index) {
    result_.modules[index].hyper = Json::object();
    result_.modules[index].hooks = 0;
    on_path_.insert(node);
    ++depth_;
    if (is_module(tree_, compiled)) read(compiled, join_path(path, "_orig_mod"));
    --depth_;
    on_path_.erase(node);
  }

  ModuleRecord record(NodeId node, const std::string& path,
                      const std::vector<KeyValue>& state) const {
    ModuleRecord module;
    module.path = path;
    module.class_path = class_of(tree_, node);
    module.hyper = Json::object();
    for (const KeyValue& item : state) {
      const bool is_hook_dict =
          std::find(kHookDicts.begin(), kHookDicts.end(), item.key) != kHookDicts.end();
      if (item.key == "training") {
        module.training = tree_.kind(item.value) == Kind::boolean && tree_.boolean(item.value);
      } else if (is_hook_dict) {
        module.hooks += static_cast<std::uint32_t>(mapping_items(tree_, item.value).size());
      } else if (!item.key.starts_with('_') && is_hyper_parameter(tree_, item.value)) {
        module.hyper[item.key] = plain_value(tree_, item.value);
      } else if (auto function = function_text(tree_, item.value)) {
        module.hyper[item.key] = *std::move(function);
      }
    }
    return module;
  }

  /// Parameters, then buffers, in the order in which they were registered.
  void registered(const std::vector<KeyValue>& state, const std::string& path, std::size_t index) {
    std::unordered_set<std::string> transient;
    NodeId parameters = kNone;
    NodeId buffers = kNone;
    for (const KeyValue& item : state) {
      if (item.key == "_parameters") parameters = item.value;
      if (item.key == "_buffers") buffers = item.value;
      if (item.key == "_non_persistent_buffers_set") transient = names_of_set(item.value);
    }
    for (const KeyValue& item : mapping_items(tree_, parameters)) {
      if (!is_tensor(tree_, item.value) || !count_tensor(path, item.key)) continue;
      result_.modules[index].parameters.push_back(item.key);
      result_.tensors.push_back({join_path(path, item.key), item.value, TensorRole::parameter});
    }
    for (const KeyValue& item : mapping_items(tree_, buffers)) {
      if (!is_tensor(tree_, item.value) || !count_tensor(path, item.key)) continue;
      const bool persists = transient.count(item.key) == 0;
      (persists ? result_.modules[index].buffers : result_.modules[index].transient_buffers)
          .push_back(item.key);
      result_.tensors.push_back({join_path(path, item.key), item.value,
                                 persists ? TensorRole::buffer : TensorRole::transient});
    }
    for (const KeyValue& item : state) register_packed(item, path, index);
  }

  /// What a quantized layer packed is in its state_dict(), too.
  void register_packed(const KeyValue& item, const std::string& path, std::size_t index) {
    for (const KeyValue& part : packed_tensors(tree_, item.value)) {
      const std::string name = join_path(item.key, part.key);
      if (!count_tensor(path, name)) continue;
      result_.modules[index].buffers.push_back(name);
      result_.tensors.push_back({join_path(path, name), part.value, TensorRole::buffer});
    }
  }

  /// A set literal (protocol 4), or set([...]) as protocol 2 calls it.
  std::unordered_set<std::string> names_of_set(NodeId node) const {
    std::unordered_set<std::string> names;
    std::vector<NodeId> lists{node};
    if (tree_.kind(node) == Kind::object) {
      const auto args = elements(tree_, tree_.args(node));
      lists.insert(lists.end(), args.begin(), args.end());
    }
    for (const NodeId list : lists) {
      if (!is_sequence(tree_, list) && tree_.kind(list) != Kind::object) continue;
      for (const NodeId item : tree_.items(list)) {
        if (auto name = as_string(tree_, item)) names.insert(std::move(*name));
      }
    }
    return names;
  }

  const Tree& tree_;
  ModuleTree result_;
  std::unordered_set<NodeId> on_path_;
  std::uint32_t depth_ = 0;
  std::uint64_t most_modules_, most_characters_;
  std::uint64_t characters_ = 0;
};

}  // namespace

bool is_module(const Tree& tree, NodeId node) {
  const NodeId compiled = compiled_module(tree, node);
  return has_module_state(tree, compiled == kNone ? node : compiled);
}

ModuleTree read_module_tree(const Tree& tree, NodeId root) {
  Reader reader(tree);
  reader.read(root, "");
  return reader.take();
}

std::string describe_module(const ModuleTree& modules) {
  if (modules.modules.empty()) return "";
  std::string text = short_name(modules.modules[0].class_path);
  std::string children;
  int count = 0;
  for (const ModuleRecord& module : modules.modules) {
    if (module.path.empty() || module.path.find('.') != std::string::npos) continue;
    if (++count > 3) {
      children += ", ...";
      break;
    }
    children += (children.empty() ? "" : ", ") + module.path + "=" + short_name(module.class_path);
  }
  return children.empty() ? text : text + "(" + children + ")";
}

}  // namespace samebits
