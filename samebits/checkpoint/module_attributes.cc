#include "samebits/checkpoint/module_attributes.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/described_bytes.h"
#include "samebits/checkpoint/plain_value.h"
#include "samebits/checkpoint/torch_script.h"
#include "samebits/checkpoint/torch_tensor.h"

namespace samebits {
namespace {

using pickle::Kind;
using pickle::kNone;
using pickle::Tree;

constexpr auto kLeftOut = std::to_array<std::string_view>(
    {"training", "_parameters", "_buffers", "_modules", "_non_persistent_buffers_set",
     "_backward_hooks", "_backward_pre_hooks", "_is_full_backward_hook",
     "_forward_hooks_with_kwargs", "_forward_hooks_always_called", "_forward_pre_hooks_with_kwargs",
     "_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks",
     "_load_state_dict_post_hooks"});
constexpr auto kForwardHooks =
    std::to_array<std::string_view>({"_forward_hooks", "_forward_pre_hooks"});

/// One spelling of what Python 2, numpy before 2.0, and TorchScript spell otherwise.
std::string canonical_name(std::string name) {
  if (name.starts_with("__torch__.")) return python_class(name);
  constexpr std::pair<std::string_view, std::string_view> kSpellings[] = {
      {"__builtin__.", "builtins."}, {"copy_reg.", "copyreg."}, {"numpy.core.", "numpy._core."}};
  for (const auto& [old, now] : kSpellings) {
    if (name.starts_with(old)) return std::string(now) + name.substr(old.size());
  }
  return name;
}

class AttributeReader {
 public:
  AttributeReader(Checkpoint& checkpoint, const Tree& tree, const StorageTable& storages,
                  const ModuleTree& modules, NodeId config)
      : out_(checkpoint),
        tree_(tree),
        storages_(storages),
        left_(2 * tree.size() + 1000),
        characters_left_(kLimits.module_characters +
                         kLimits.module_characters_per_node * tree.size()),
        described_(size_of(checkpoint.files)) {
    for (const RegisteredTensor& tensor : modules.tensors)
      registered_.emplace(tensor.node, tensor.name);
    for (std::size_t i = 0; i < modules.modules.size(); ++i)
      modules_.emplace(modules.module_nodes[i], modules.modules[i].path);
    add_config(config, 0);
  }

  Json module(NodeId node) {
    Json::object_t result;
    on_path_.emplace(node, 0);
    depth_ = 1;
    for (const KeyValue& item : attributes(tree_, node)) {
      if (std::ranges::find(kLeftOut, item.key) != kLeftOut.end()) continue;
      if (configs_.contains(item.value)) continue;
      const bool hooks_dict = is_mapping(tree_, item.value);
      if (std::ranges::find(kForwardHooks, item.key) == kForwardHooks.end() || !hooks_dict) {
        result.emplace_back(item.key, value(item.value));
      } else if (const auto hooks = mapping_items(tree_, item.value); !hooks.empty()) {
        Json functions = Json::array();  // their keys are a mere count
        for (const KeyValue& hook : hooks) functions.push_back(value(hook.value));
        result.emplace_back(item.key, std::move(functions));
      }
    }
    add_unregistered(node, &result);
    on_path_.clear();
    return result;
  }

 private:
  // Nested deeper than this is nothing that a person wrote.
  static constexpr std::size_t kDepth = 60;
  static constexpr std::size_t kShortText = 400;
  static constexpr const char* kTooMany = "one of too many values";

  /// What stands among parameters, buffers and modules and is neither, such as a numpy array.
  void add_unregistered(NodeId module, Json::object_t* result) {
    for (const char* kind : {"_parameters", "_buffers", "_modules"}) {
      for (const KeyValue& item : mapping_items(tree_, attribute(tree_, module, kind))) {
        const bool known = tree_.kind(item.value) == Kind::none ||
                           registered_.contains(item.value) || modules_.contains(item.value);
        if (!known && take(item.key.size()))
          result->emplace_back(std::string(kind) + "." + item.key, value(item.value));
      }
    }
  }

  void add_config(NodeId config, int depth) {
    if (config == kNone || depth > 3 || !configs_.insert(config).second) return;
    for (const KeyValue& part : attributes(tree_, config)) {
      if (is_config_object(tree_, part.value)) add_config(part.value, depth + 1);
    }
  }

  static std::uint64_t size_of(const std::vector<SourceFile>& files) {
    std::uint64_t size = 0;
    for (const SourceFile& file : files) size += file.map->size();
    return size;
  }

  /// False where names and texts are more than may be kept: nothing else is read then.
  bool take(std::size_t characters) {
    if (characters > characters_left_) left_ = 0;
    characters_left_ -= left_ == 0 ? 0 : characters;
    return left_ > 0;
  }

  static Json opaque(std::string why) { return {{"$opaque", std::move(why)}}; }

  Json value(NodeId node) {
    if (left_ == 0) return opaque(kTooMany);
    if (depth_ >= kDepth) return opaque("nested too deeply");
    --left_;
    switch (tree_.kind(node)) {
      case Kind::none: return nullptr;
      case Kind::boolean: return tree_.boolean(node);
      case Kind::integer: return tree_.integer(node);
      case Kind::real: return json_number(tree_.real(node));
      case Kind::text:
        if (tree_.text(node).size() <= kShortText) return std::string(tree_.text(node));
        return bytes("text", tree_.text(node));
      case Kind::bytes: return bytes("bytes", tree_.text(node));
      case Kind::big_integer: return bytes("integer", tree_.text(node));
      case Kind::global: {
        std::string name = tree_.qualified_name(node);
        if (!take(name.size())) return opaque(kTooMany);
        return {{"$name", canonical_name(std::move(name))}};
      }
      case Kind::persistent:
        if (is_tensor(tree_, node)) return tensor(node);
        return opaque("a storage");
      case Kind::extension: return opaque("an extension's object");
      case Kind::buffer: return opaque("a buffer outside of the pickle");
      default: return nested(node);
    }
  }

  Json nested(NodeId node) {
    if (const auto module = modules_.find(node); module != modules_.end())
      return {{"$module", module->second}};
    if (const auto known = registered_.find(node); known != registered_.end())
      return {{"$registered", known->second}};
    if (const auto above = on_path_.find(node); above != on_path_.end())
      return {{"$cycle", depth_ - above->second}};
    if (is_tensor(tree_, node)) return tensor(node);
    on_path_.emplace(node, depth_++);
    Json result = tree_.kind(node) == Kind::object ? object(node)
                  : tree_.kind(node) == Kind::dict ? mapping(node)
                                                   : list(tree_.items(node));
    const bool unordered = tree_.kind(node) == Kind::set || tree_.kind(node) == Kind::frozenset;
    --depth_;
    on_path_.erase(node);
    return unordered ? in_order(std::move(result)) : result;
  }

  static Json in_order(Json items) {
    std::vector<std::pair<std::string, Json>> keyed;
    for (Json& item : items) {
      std::string text = item.dump(-1, ' ', false, Json::error_handler_t::replace);
      keyed.emplace_back(std::move(text), std::move(item));
    }
    std::ranges::sort(keyed, {}, &std::pair<std::string, Json>::first);
    for (std::size_t i = 0; i < keyed.size(); ++i) items[i] = std::move(keyed[i].second);
    return items;
  }

  Json list(std::span<const NodeId> items) {
    Json result = Json::array();
    for (const NodeId item : items) {
      const bool is_rest = left_ == 0;
      result.push_back(value(item));
      if (is_rest) break;  // said once
    }
    return result;
  }

  Json mapping(NodeId node) {
    const std::vector<KeyValue> items = mapping_items(tree_, node);
    const bool plain = std::ranges::all_of(items, [&](const KeyValue& item) {
      const Kind kind = tree_.kind(item.key_node);
      return (kind == Kind::text && !item.key.starts_with('$')) || kind == Kind::integer;
    });
    Json result = Json::object();
    if (plain) {
      add(items, &result);
      return result;
    }
    Json& pairs = result["$pairs"] = Json::array();
    for (const auto& [key, held] : tree_.pairs(node)) {
      const bool is_rest = left_ == 0;
      Json key_value = value(key);
      pairs.push_back(Json::array({std::move(key_value), value(held)}));
      if (is_rest) break;
    }
    return result;
  }

  void add(const std::vector<KeyValue>& items, Json* result) {
    for (const KeyValue& item : items) {
      if (!take(item.key.size())) {
        result->get_ref<Json::object_t&>().emplace_back("$rest", opaque(kTooMany));
        return;
      }
      // The keys are known to be different; operator[] would look for each among all.
      result->get_ref<Json::object_t&>().emplace_back(item.key, value(item.value));
    }
  }

  Json other_config(NodeId node) {
    Json fields = *config_object(tree_, node);
    const std::string text = fields.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (!take(text.size())) return opaque(kTooMany);
    return {{"$config", std::move(fields)}};
  }

  /// A class's object by its class, what it was made from, and its attributes.
  Json object(NodeId node) {
    std::string name = class_of(tree_, node);
    if (!take(name.size())) return opaque(kTooMany);
    const std::string type = canonical_name(std::move(name));
    if (type.starts_with("transformers.") && is_config_object(tree_, node))
      return other_config(node);
    const auto tagged = elements(tree_, tree_.args(node));
    // TorchScript's lists and dicts, with their types.
    if (type.starts_with("torch.jit._pickle.") && !tagged.empty()) return value(tagged[0]);
    Json result = {{"$class", type}};
    if (type.empty()) result["$call"] = value(tree_.callable(node));
    const auto args = elements(tree_, tree_.args(node));
    const bool names_class = constructed_class(tree_, node).has_value();
    const bool by_call = tree_.call_kind(node) == pickle::CallKind::reduce;
    const std::size_t skipped = names_class && by_call && !args.empty() ? 1 : 0;
    // A mapping's items may stand in the constructor's arguments.
    const bool is_map = is_mapping(tree_, node);
    if (is_map) result["$items"] = mapping(node);
    if (!is_map && args.size() > skipped) result["$args"] = list(args.subspan(skipped));
    if (is_map && args.size() > skipped && tree_.kind(args[skipped]) == Kind::global)
      result["$factory"] = value(args[skipped]);  // of a defaultdict
    if (tree_.kwargs(node) != kNone) result["$kwargs"] = value(tree_.kwargs(node));
    if (!tree_.items(node).empty()) result[is_map ? "$list" : "$items"] = list(tree_.items(node));
    add(attributes(tree_, node), &result);
    for (const NodeId state : tree_.states(node)) {
      if (is_of_attributes(state)) continue;
      result["$state"].push_back(value(state));
    }
    return result;
  }

  /// A dict, or (dict, slots' dict): attributes() holds all of it.
  bool is_of_attributes(NodeId state) const {
    const auto is_part = [&](NodeId part) {
      return tree_.kind(part) == Kind::dict || tree_.kind(part) == Kind::none;
    };
    const auto parts = elements(tree_, state);
    return is_part(state) || (parts.size() == 2 && tree_.kind(state) == Kind::tuple &&
                              is_part(parts[0]) && is_part(parts[1]));
  }

  Json bytes(const char* what, std::string_view held) {
    const Bytes data(reinterpret_cast<const std::uint8_t*>(held.data()), held.size());
    const auto count = static_cast<std::int64_t>(held.size());
    auto view = TensorView::make(DType::uint8, {count}, {1}, 0, data);
    if (!view) return opaque(view.error().what);
    return with_data(fmt::format("{} of {} bytes", what, held.size()), *std::move(view));
  }

  Json with_data(std::string is, TensorView view) {
    out_.attribute_data.push_back(std::move(view));
    return {{"$is", std::move(is)}, {"$data", out_.attribute_data.size() - 1}};
  }

  Json tensor(NodeId node) {
    if (const auto known = registered_.find(node); known != registered_.end())
      return {{"$registered", known->second}};
    Result<TorchTensor> read = read_tensor(tree_, node, storages_, "");
    if (!read) return opaque("a tensor: " + read.error().what);
    Json parts = Json::array();
    for (TensorPart& part : read->parts) {
      std::string is = fmt::format("tensor {}{}{} {}{}", part.suffix,
                                   part.suffix.empty() ? "" : " ", info(part.view.dtype()).torch,
                                   shape_text(part.view.shape()), part.note.empty() ? "" : ", ");
      is += part.note;
      if (part.storage == nullptr || part.storage->error) {
        parts.push_back(part.storage == nullptr ? Json{{"$is", is + ", without values"}}
                                                : opaque(is + " that cannot be read"));
      } else if (part.view.nbytes() > part.view.storage().size()) {  // dear to read, cheap to store
        parts.push_back(opaque(is + " that repeats its storage"));
      } else if (!described_.add(part.view)) {
        parts.push_back(opaque(is + ", one of too many views of its storage"));
      } else {
        parts.push_back(with_data(std::move(is), std::move(part.view)));
      }
    }
    return parts.size() == 1 ? parts[0] : parts;
  }

  Checkpoint& out_;
  const Tree& tree_;
  const StorageTable& storages_;
  std::unordered_map<NodeId, std::string> registered_, modules_;
  std::unordered_set<NodeId> configs_;
  std::unordered_map<NodeId, std::size_t> on_path_;
  std::size_t depth_ = 0;
  std::size_t left_;  // values that may still be read
  std::uint64_t characters_left_;
  DescribedBytes described_;
};

}  // namespace

void read_module_attributes(Checkpoint& checkpoint, const Tree& tree, const StorageTable& storages,
                            const ModuleTree& modules, NodeId config) {
  AttributeReader reader(checkpoint, tree, storages, modules, config);
  for (std::size_t i = 0; i < checkpoint.modules.size(); ++i)
    checkpoint.modules[i].attributes = reader.module(modules.module_nodes[i]);
}

}  // namespace samebits
