#include "samebits/checkpoint/tree_view.h"

#include <array>
#include <unordered_map>

#include <fmt/format.h>

#include "samebits/base/limits.h"

namespace samebits {

using pickle::Kind;
using pickle::kNone;
using pickle::Tree;

namespace {

bool is_reconstructor(const Tree& tree, NodeId callable) {
  return tree.is_global(callable, "copyreg", "_reconstructor") ||
         tree.is_global(callable, "copy_reg", "_reconstructor");
}

/// copyreg._reconstructor(cls, base, state), as protocols 0 and 1 write objects of a class derived
/// from dict, list or tuple: what it holds.
NodeId base_state(const Tree& tree, NodeId node) {
  if (tree.kind(node) != Kind::object || !is_reconstructor(tree, tree.callable(node))) return kNone;
  const auto args = elements(tree, tree.args(node));
  return args.size() == 3 ? args[2] : kNone;
}

bool is_plain_sequence(const Tree& tree, NodeId node) {
  const Kind kind = tree.kind(node);
  return kind == Kind::list || kind == Kind::tuple || kind == Kind::set || kind == Kind::frozenset;
}

}  // namespace

bool is_mapping(const Tree& tree, NodeId node) {
  if (tree.kind(node) == Kind::dict) return true;
  if (tree.kind(node) != Kind::object) return false;
  if (!tree.pairs(node).empty() || tree.kind(base_state(tree, node)) == Kind::dict) return true;
  const std::string name = class_of(tree, node);
  return name == "collections.OrderedDict" || name == "collections.defaultdict" ||
         name == "collections.Counter" || name == "builtins.dict" || name == "__builtin__.dict";
}

bool is_sequence(const Tree& tree, NodeId node) {
  return is_plain_sequence(tree, node) || is_plain_sequence(tree, base_state(tree, node));
}

std::span<const NodeId> sequence_items(const Tree& tree, NodeId node) {
  return tree.items(is_plain_sequence(tree, node) ? node : base_state(tree, node));
}

namespace {

/// A longer one leads nowhere, and a pickle may have it read once for each of its bytes.
std::string cut_key(const Tree& tree, NodeId key) {
  const std::string_view text = tree.text(key);
  if (text.size() <= kLimits.path_characters) return std::string(text);
  return fmt::format("{}... ({} characters at byte {})", text.substr(0, kLimits.path_characters),
                     text.size(), tree.offset(key));
}

std::string key_text(const Tree& tree, NodeId key) {
  switch (tree.kind(key)) {
    case Kind::text:
    case Kind::bytes: return cut_key(tree, key);
    case Kind::integer: return std::to_string(tree.integer(key));
    case Kind::real: return fmt::format("{}", tree.real(key));
    case Kind::boolean: return tree.boolean(key) ? "True" : "False";
    case Kind::none: return "None";
    case Kind::tuple: return "tuple";
    case Kind::global: return tree.qualified_name(key);
    default: return "object";
  }
}

/// Adds one item, or replaces the value of the key's first place.
void set_item(std::vector<KeyValue>& items, std::unordered_map<std::string, std::size_t>& places,
              KeyValue item) {
  const auto [place, is_new] = places.try_emplace(item.key, items.size());
  if (is_new) {
    items.push_back(std::move(item));
  } else {
    items[place->second].value = item.value;
  }
}

void add_pairs(const Tree& tree, NodeId node, std::vector<KeyValue>& items,
               std::unordered_map<std::string, std::size_t>& places) {
  for (const auto& [key, value] : tree.pairs(node)) {
    set_item(items, places, {key_text(tree, key), key, value});
  }
}

/// OrderedDict([(k, v), ...]), as protocol 0 and Python 2 write it.
void add_constructor_pairs(const Tree& tree, NodeId node, std::vector<KeyValue>& items,
                           std::unordered_map<std::string, std::size_t>& places) {
  const auto args = elements(tree, tree.args(node));
  for (const NodeId argument : args) {
    if (tree.kind(argument) == Kind::dict) add_pairs(tree, argument, items, places);
    for (const NodeId pair : elements(tree, argument)) {
      const auto parts = elements(tree, pair);
      if (parts.size() != 2) continue;
      set_item(items, places, {key_text(tree, parts[0]), parts[0], parts[1]});
    }
  }
}

}  // namespace

std::optional<std::span<const NodeId>> set_items(const Tree& tree, NodeId node) {
  const Kind kind = tree.kind(node);
  if (kind == Kind::set || kind == Kind::frozenset) return tree.items(node);
  if (kind != Kind::object) return std::nullopt;
  const NodeId called = tree.callable(node);
  const auto args = elements(tree, tree.args(node));
  for (const char* module : {"builtins", "__builtin__"}) {
    for (const char* name : {"set", "frozenset"}) {
      if (tree.is_global(called, module, name) && args.size() == 1 &&
          tree.kind(args[0]) == Kind::list)
        return tree.items(args[0]);
    }
  }
  return std::nullopt;
}

std::vector<KeyValue> mapping_items(const Tree& tree, NodeId node) {
  std::vector<KeyValue> items;
  std::unordered_map<std::string, std::size_t> places;
  if (tree.kind(node) == Kind::object) add_constructor_pairs(tree, node, items, places);
  if (tree.kind(node) == Kind::object || tree.kind(node) == Kind::dict) {
    add_pairs(tree, node, items, places);
  }
  return items;
}

std::vector<KeyValue> attributes(const Tree& tree, NodeId node) {
  std::vector<KeyValue> items;
  std::unordered_map<std::string, std::size_t> places;
  if (tree.kind(node) != Kind::object) return items;
  for (const NodeId state : tree.states(node)) {
    if (tree.kind(state) == Kind::dict) add_pairs(tree, state, items, places);
    for (const NodeId part : elements(tree, state)) {
      if (tree.kind(part) == Kind::dict) add_pairs(tree, part, items, places);
    }
  }
  return items;
}

NodeId attribute(const Tree& tree, NodeId node, std::string_view name) {
  if (tree.kind(node) != Kind::object) return kNone;
  NodeId found = kNone;
  for (const NodeId state : tree.states(node)) {
    if (tree.kind(state) == Kind::dict) {
      if (const NodeId value = tree.get(state, name); value != kNone) found = value;
    }
    for (const NodeId part : elements(tree, state)) {
      if (tree.kind(part) != Kind::dict) continue;
      if (const NodeId value = tree.get(part, name); value != kNone) found = value;
    }
  }
  return found;
}

std::optional<NodeId> constructed_class(const Tree& tree, NodeId node) {
  if (tree.kind(node) != Kind::object) return std::nullopt;
  const pickle::CallKind how = tree.call_kind(node);
  if (how == pickle::CallKind::newobj || how == pickle::CallKind::newobj_ex) {
    return tree.callable(node);
  }
  const auto args = elements(tree, tree.args(node));
  const bool reconstructs = is_reconstructor(tree, tree.callable(node)) ||
                            tree.is_global(tree.callable(node), "copyreg", "__newobj__") ||
                            tree.is_global(tree.callable(node), "copy_reg", "__newobj__");
  if (reconstructs && !args.empty()) return args[0];
  return std::nullopt;
}

std::string class_of(const Tree& tree, NodeId node) {
  if (tree.kind(node) == Kind::global) return tree.qualified_name(node);
  if (tree.kind(node) == Kind::persistent) {
    const auto id = elements(tree, tree.args(node));  // ("module", class, file, source)
    return id.size() >= 2 && tree.kind(id[1]) == Kind::global ? tree.qualified_name(id[1]) : "";
  }
  if (tree.kind(node) != Kind::object) return "";
  const NodeId callable = constructed_class(tree, node).value_or(tree.callable(node));
  if (tree.kind(callable) == Kind::object) return "";
  return class_of(tree, callable);
}

std::string short_name(const std::string& class_path) {
  return class_path.substr(class_path.rfind('.') + 1);
}

std::span<const NodeId> elements(const Tree& tree, NodeId node) {
  const Kind kind = tree.kind(node);
  if (kind != Kind::tuple && kind != Kind::list) return {};
  return tree.items(node);
}

std::optional<std::int64_t> as_integer(const Tree& tree, NodeId node) {
  if (tree.kind(node) == Kind::integer) return tree.integer(node);
  if (tree.kind(node) == Kind::boolean) return tree.boolean(node) ? 1 : 0;
  return std::nullopt;
}

std::optional<std::string> as_string(const Tree& tree, NodeId node) {
  const Kind kind = tree.kind(node);
  if (kind != Kind::text && kind != Kind::bytes) return std::nullopt;
  return std::string(tree.text(node));
}

std::optional<Shape> size_of(const pickle::Tree& tree, NodeId node) {
  if (tree.kind(node) != pickle::Kind::object) return std::nullopt;
  const std::span<const NodeId> arguments = elements(tree, tree.args(node));
  if (arguments.size() != 1) return std::nullopt;
  Shape shape;
  for (const NodeId item : elements(tree, arguments[0])) {
    const auto size = as_integer(tree, item);
    if (!size || *size < 0) return std::nullopt;
    shape.push_back(*size);
  }
  return shape;
}

std::string join_path(const std::string& path, std::string_view key) {
  if (path.empty()) return std::string(key);
  std::string joined = path;
  joined += '.';
  joined += key;
  return joined;
}

}  // namespace samebits
