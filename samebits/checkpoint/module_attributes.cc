#include "samebits/checkpoint/module_attributes.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>
#include <utility>

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
constexpr std::pair<std::string_view, std::string_view> kForwardHooks[] = {
    {"_forward_hooks", "_forward_hooks_with_kwargs"},
    {"_forward_pre_hooks", "_forward_pre_hooks_with_kwargs"}};

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
        described_(bytes_behind(checkpoint, storages)) {
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
      const auto kind = std::ranges::find(kForwardHooks, item.key,
                                          &std::pair<std::string_view, std::string_view>::first);
      if (kind != std::end(kForwardHooks) && is_mapping(tree_, item.value)) {
        Json functions = hooks(item.value, attribute(tree_, node, kind->second));
        if (!functions.empty()) result.emplace_back(item.key, std::move(functions));
      } else if (item.key == "_parameters" || item.key == "_buffers" || item.key == "_modules") {
        add_unregistered(item, &result);
      } else if (std::ranges::find(kLeftOut, item.key) == kLeftOut.end() &&
                 !configs_.contains(item.value)) {
        result.emplace_back(item.key, value(item.value));
      }
    }
    on_path_.clear();
    return result;
  }

 private:
  // Nested deeper than this is nothing that a person wrote.
  static constexpr std::size_t kDepth = 60;
  static constexpr std::size_t kShortText = 400;
  static constexpr std::size_t kWorthSharing = 24;  // values
  static constexpr const char* kTooMany = "one of too many values";

  /// The functions in the order of their calls: their keys are a mere count.
  Json hooks(NodeId functions, NodeId with_kwargs) {
    std::unordered_set<std::string> named;
    for (const KeyValue& item : mapping_items(tree_, with_kwargs)) named.insert(item.key);
    Json result = Json::array();
    for (const KeyValue& hook : mapping_items(tree_, functions)) {
      result.push_back(value(hook.value));
      if (named.contains(hook.key)) result.push_back("with_kwargs");
    }
    return result;
  }

  /// What is registered as a tensor or module and is none that the tree of modules can list.
  void add_unregistered(const KeyValue& registry, Json::object_t* result) {
    const bool of_modules = registry.key == "_modules";
    for (const KeyValue& item : mapping_items(tree_, registry.value)) {
      const bool listed = of_modules ? is_module(tree_, item.value) : is_tensor(tree_, item.value);
      if (!listed && tree_.kind(item.value) != Kind::none)
        result->emplace_back(item.key, value(item.value));
    }
  }

  void add_config(NodeId config, int depth) {
    if (config == kNone || depth > 3 || !configs_.insert(config).second) return;
    for (const KeyValue& part : attributes(tree_, config)) {
      if (is_config_object(tree_, part.value)) add_config(part.value, depth + 1);
    }
  }

  /// Of its files; in memory, of what its tensors lie in.
  static std::uint64_t bytes_behind(const Checkpoint& checkpoint, const StorageTable& storages) {
    std::uint64_t size = 0;
    for (const SourceFile& file : checkpoint.files) {
      if (file.map) size += file.map->size();
    }
    if (size > 0) return size;
    for (const auto& [key, storage] : storages.by_key) size += storage.bytes.size();
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
    if (const auto above = on_path_.find(node); above != on_path_.end()) {
      outermost_ = std::min(outermost_, above->second);
      return {{"$cycle", depth_ - above->second}};
    }
    if (is_tensor(tree_, node)) return tensor(node);
    if (const auto known = shared_.find(node); known != shared_.end())
      return {{"$shared", known->second}};
    const std::size_t left_before = left_;
    const std::size_t outermost_before = std::exchange(outermost_, depth_);
    on_path_.emplace(node, depth_++);
    const auto unordered = set_items(tree_, node);
    Json result = unordered ? Json{{"$set", in_order_of_text(list(*unordered))}}
                  : tree_.kind(node) == Kind::object ? object(node)
                  : tree_.kind(node) == Kind::dict   ? mapping(node)
                                                     : list(tree_.items(node));
    --depth_;
    on_path_.erase(node);
    const bool whole = outermost_ >= depth_ && left_ > 0;  // it names nothing above itself
    outermost_ = std::min(outermost_, outermost_before);
    return whole && left_before - left_ >= kWorthSharing ? share(node, std::move(result)) : result;
  }

  /// Read once, wherever else it stands: every block of a model may hold one large config.
  Json share(NodeId node, Json read) {
    shared_.emplace(node, out_.attribute_shared.size());
    out_.attribute_shared.push_back(std::move(read));
    return {{"$shared", out_.attribute_shared.size() - 1}};
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

  /// Whole texts that cannot be taken for a tag. 1 and "1" are two keys.
  bool has_plain_keys(const std::vector<KeyValue>& items) const {
    return std::ranges::all_of(items, [&](const KeyValue& item) {
      return tree_.kind(item.key_node) == Kind::text && !item.key.starts_with('$') &&
             item.key.size() == tree_.text(item.key_node).size();
    });
  }

  Json mapping(NodeId node) {
    const std::vector<KeyValue> items = mapping_items(tree_, node);
    Json result = Json::object();
    if (has_plain_keys(items)) {
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
    add_arguments(node, type, &result);
    if (tree_.kwargs(node) != kNone) result["$kwargs"] = value(tree_.kwargs(node));
    if (!is_mapping(tree_, node) && !tree_.items(node).empty())
      result["$items"] = list(tree_.items(node));
    for (const NodeId state : tree_.states(node)) add_state(node, state, &result);
    return result;
  }

  /// What the class was called with, and the items of a mapping, which may stand there.
  void add_arguments(NodeId node, const std::string& type, Json* result) {
    auto args = elements(tree_, tree_.args(node));
    const bool by_call = tree_.call_kind(node) == pickle::CallKind::reduce;
    const bool is_map = is_mapping(tree_, node);
    if (is_map) (*result)["$items"] = mapping(node);
    if (is_map && type == "collections.OrderedDict") return;
    if (by_call && constructed_class(tree_, node) && !args.empty()) {
      args = args.subspan(1);
      // copyreg._reconstructor(class, object, None) is a mere class.__new__(class).
      const NodeId by = tree_.callable(node);
      const bool makes = tree_.is_global(by, "copyreg", "_reconstructor") ||
                         tree_.is_global(by, "copy_reg", "_reconstructor");
      if (makes && args.size() == 2 && (is_map || tree_.kind(args[1]) == Kind::none)) return;
    }
    if (!args.empty()) (*result)["$args"] = list(args);
  }

  /// A dict, or a pair of dicts, is what the object holds under names; all else is told whole.
  void add_state(NodeId node, NodeId state, Json* result) {
    if (tree_.kind(state) == Kind::none) return;
    const auto parts = elements(tree_, state);
    const auto is_names = [&](NodeId part) {
      return tree_.kind(part) == Kind::none ||
             (tree_.kind(part) == Kind::dict && has_plain_keys(mapping_items(tree_, part)));
    };
    const bool by_name = tree_.kind(state) == Kind::tuple
                             ? parts.size() == 2 && std::ranges::all_of(parts, is_names)
                             : is_names(state);
    if (!by_name || tree_.states(node).size() > 1) {
      (*result)["$state"].push_back(value(state));
    } else {
      add(attributes(tree_, node), result);
    }
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
  std::size_t outermost_ = 0;  // the highest level that a value of the one being read names
  std::unordered_map<NodeId, std::size_t> shared_;
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
