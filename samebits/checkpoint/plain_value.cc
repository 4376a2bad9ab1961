#include "samebits/checkpoint/plain_value.h"

#include <fmt/ranges.h>

#include "samebits/checkpoint/torch_tensor.h"

namespace samebits {
namespace {

using pickle::Kind;
using pickle::Tree;

constexpr int kMaxDepth = 12;
constexpr int kMaxValues = 20'000;
// Texts and keys together: a pickle can name one long text again and again.
constexpr std::size_t kMaxCharacters = 1 << 20;

class Converter {
 public:
  explicit Converter(const Tree& tree) : tree_(tree) {}

  Json value(NodeId node, int depth) {
    if (depth > kMaxDepth || ++values_ > kMaxValues) return "...";
    if (const auto items = set_items(tree_, node)) return in_order_of_text(list(*items, depth));
    switch (tree_.kind(node)) {
      case Kind::none: return nullptr;
      case Kind::boolean: return tree_.boolean(node);
      case Kind::integer:
      case Kind::extension: return tree_.integer(node);
      case Kind::real: return json_number(tree_.real(node));
      case Kind::text: return text(tree_.text(node));
      case Kind::bytes: return std::to_string(tree_.text(node).size()) + " bytes";
      case Kind::big_integer:
        return "integer of " + std::to_string(tree_.text(node).size()) + " bytes";
      case Kind::list:
      case Kind::tuple: return list(tree_.items(node), depth);
      case Kind::set:
      case Kind::frozenset: break;  // above
      case Kind::dict: return object(mapping_items(tree_, node), Json::object(), depth);
      case Kind::global: return global(node);
      case Kind::object: return instance(node, depth);
      case Kind::persistent:
        return class_of(tree_, node).empty() ? Json("storage") : Json(class_of(tree_, node));
      case Kind::buffer: return "buffer";
    }
    return nullptr;
  }

  Json object(const std::vector<KeyValue>& items, Json json, int depth) {
    for (const KeyValue& item : items) {
      if (values_ > kMaxValues || !take(item.key.size())) break;
      json[item.key] = value(item.value, depth + 1);
    }
    return json;
  }

  /// Another value: as many more values, and what is left of the characters.
  Json next(NodeId node) {
    values_ = 0;
    return value(node, 0);
  }

 private:
  bool take(std::size_t characters) {
    if (characters > characters_) return false;
    characters_ -= characters;
    return true;
  }

  Json text(std::string_view text) { return take(text.size()) ? std::string(text) : "..."; }

  Json list(std::span<const NodeId> items, int depth) {
    Json json = Json::array();
    for (const NodeId item : items) {
      if (values_ > kMaxValues) break;
      json.push_back(value(item, depth + 1));
    }
    return json;
  }

  Json global(NodeId node) const {
    if (tree_.module(node) == "torch") return std::string(tree_.name(node));  // a dtype or layout
    return tree_.qualified_name(node);
  }

  Json instance(NodeId node, int depth) {
    if (is_tensor(tree_, node)) return "tensor";
    const std::string type = class_of(tree_, node);
    const auto args = elements(tree_, tree_.args(node));
    if (type == "torch.device") return args.empty() ? Json("cpu") : device(args, depth);
    if (type == "torch.Size" && !args.empty()) return value(args[0], depth + 1);
    if (type.starts_with("pathlib.")) return path(args);
    if (type == "collections.Counter" && args.size() == 1) return value(args[0], depth + 1);
    if (type.ends_with("builtins.set") || type.ends_with("__builtin__.set"))
      return args.empty() ? Json::array() : value(args[0], depth + 1);
    if (is_mapping(tree_, node)) return object(mapping_items(tree_, node), Json::object(), depth);
    const std::vector<KeyValue> fields = attributes(tree_, node);
    if (type == "argparse.Namespace" || type == "types.SimpleNamespace")
      return object(fields, Json::object(), depth);
    Json json = {{"class", type.empty() ? "unknown" : type}};
    if (fields.empty() && !args.empty()) json["args"] = list(args, depth);
    return object(fields, std::move(json), depth);
  }

  Json device(std::span<const NodeId> args, int depth) {
    const std::string type = as_string(tree_, args[0]).value_or("device");
    if (args.size() < 2) return type;
    return type + ":" + json_text(value(args[1], depth + 1));
  }

  Json path(std::span<const NodeId> args) const {
    std::string joined;
    for (const NodeId arg : args) {
      const std::string part = as_string(tree_, arg).value_or("?");
      if (!joined.empty() && !joined.ends_with('/')) joined += '/';
      joined += part;
    }
    return joined;
  }

  const Tree& tree_;
  int values_ = 0;
  std::size_t characters_ = kMaxCharacters;
};

bool is_kept_config_field(const std::string& name) {
  return !name.starts_with('_') || name == "_name_or_path" || name == "_attn_implementation" ||
         name == "_attn_implementation_internal" || name == "_out_features" ||
         name == "_out_indices" || name == "_output_attentions";
}

/// Of a folder's several configs (CLIPConfig, CLIPTextConfig) the one that it is named after has
/// the folder's name for its model_type; what the others are called does not stand in the file.
bool is_named_after(const std::string& class_path, const std::string& folder) {
  std::string name;
  for (const char c : folder) {
    if (c != '_') name += c;
  }
  std::string type;
  for (const char c : short_name(class_path))
    type += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return type == name + "config";
}

/// The converter's bounds are those of the whole config.
Json config_at(const Tree& tree, NodeId node, Converter& converter, int depth) {
  Json config = Json::object();
  const std::string type = class_of(tree, node);
  const std::string folder = model_type_of_class(type);
  if (!folder.empty() && is_named_after(type, folder)) config["model_type"] = folder;
  for (const KeyValue& field : attributes(tree, node)) {
    if (!is_kept_config_field(field.key)) continue;
    const bool is_part = depth < 4 && is_config_object(tree, field.value);
    config[field.key] =
        is_part ? config_at(tree, field.value, converter, depth + 1) : converter.next(field.value);
  }
  return config;
}

}  // namespace

Json plain_value(const Tree& tree, NodeId node) { return Converter(tree).value(node, 0); }

std::optional<std::string> function_text(const Tree& tree, NodeId node) {
  if (tree.kind(node) != Kind::object) return std::nullopt;
  const NodeId callable = tree.callable(node);
  const bool partial = tree.is_global(callable, "functools", "partial");
  if (!partial && !tree.is_global(callable, "__builtin__", "getattr") &&
      !tree.is_global(callable, "builtins", "getattr"))
    return std::nullopt;
  const auto shown = [&](NodeId value) {
    const bool named = tree.kind(value) == Kind::global || tree.kind(value) == Kind::object;
    return named ? class_of(tree, value) : json_text(plain_value(tree, value));
  };
  std::vector<std::string> parts;
  const auto add = [&](std::span<const NodeId> values) {
    for (const NodeId value : values) parts.push_back(shown(value));
  };
  const auto states = tree.states(node);
  const auto state = states.empty() ? std::span<const NodeId>() : elements(tree, states.back());
  if (partial && state.size() >= 3) {  // function, arguments, keywords
    parts.push_back(shown(state[0]));
    add(elements(tree, state[1]));
    for (const KeyValue& word : mapping_items(tree, state[2]))
      parts.push_back(word.key + "=" + shown(word.value));
  } else {
    add(elements(tree, tree.args(node)));
  }
  return fmt::format("{}({})", partial ? "functools.partial" : "getattr", fmt::join(parts, ", "))
      .substr(0, 200);
}

bool is_config_object(const Tree& tree, NodeId node) {
  return tree.kind(node) == Kind::object && class_of(tree, node).ends_with("Config");
}

std::optional<Json> config_object(const Tree& tree, NodeId node) {
  if (!is_config_object(tree, node)) return std::nullopt;
  Converter converter(tree);
  return config_at(tree, node, converter, 0);
}

std::string model_type_of_class(const std::string& class_path) {
  const std::string prefix = "transformers.models.";
  if (!class_path.starts_with(prefix)) return "";
  const std::size_t end = class_path.find('.', prefix.size());
  return end == std::string::npos ? "" : class_path.substr(prefix.size(), end - prefix.size());
}

}  // namespace samebits
