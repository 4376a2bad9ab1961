// A pickle's tree as Python would see it: dicts with one value a key, attributes of objects, class
// names.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "samebits/container/pickle.h"
#include "samebits/tensor/tensor.h"

namespace samebits {

using pickle::NodeId;

struct KeyValue {
  std::string key;  // text as it is, numbers as Python prints them
  NodeId key_node = pickle::kNone;
  NodeId value = pickle::kNone;
};

/// dict, or an object of a class that is one: OrderedDict, defaultdict, Counter, or any object that
/// items were set on.
bool is_mapping(const pickle::Tree& tree, NodeId node);
/// list, tuple, set or frozenset; an object that copyreg._reconstructor makes of one.
bool is_sequence(const pickle::Tree& tree, NodeId node);
/// Its elements; empty for others.
std::span<const NodeId> sequence_items(const pickle::Tree& tree, NodeId node);

/// The mapping's items with Python's meaning: a key keeps its first place and takes its last value.
/// Keys that are neither text, bytes, numbers nor None are named by their kind ("tuple"); keys that
/// are too long for a path are cut and have their offset behind them.
std::vector<KeyValue> mapping_items(const pickle::Tree& tree, NodeId node);

/// What BUILD gave an object: attributes of every dict state (and of the slots' dict of a (dict,
/// slots) state), later ones last. Empty for anything else.
std::vector<KeyValue> attributes(const pickle::Tree& tree, NodeId node);
/// One attribute, or kNone.
NodeId attribute(const pickle::Tree& tree, NodeId node, std::string_view name);

/// "module.Class" of an object (also where the class stands in a persistent id, as legacy files
/// save module sources) or of a global; "" where it cannot be named.
std::string class_of(const pickle::Tree& tree, NodeId node);
/// "Class" of "package.module.Class".
std::string short_name(const std::string& class_path);

/// copyreg._reconstructor(cls, base, state) and NEWOBJ both make an object of a class; the class,
/// or nothing for any other call.
std::optional<NodeId> constructed_class(const pickle::Tree& tree, NodeId node);

/// Elements of a tuple or list node; empty for others.
std::span<const NodeId> elements(const pickle::Tree& tree, NodeId node);

/// The items of a set or frozenset, in the order of the file, which is that of hashes and differs
/// from run to run: as protocol 4 writes it, or the older ones, which call the class with a list.
/// Nothing where the node is none.
std::optional<std::span<const NodeId>> set_items(const pickle::Tree& tree, NodeId node);
std::optional<std::int64_t> as_integer(const pickle::Tree& tree, NodeId node);
/// text, or bytes that Python 2 wrote for str.
std::optional<std::string> as_string(const pickle::Tree& tree, NodeId node);

/// torch.Size((4, 3)), which a pickle calls with a tuple, as a shape.
std::optional<Shape> size_of(const pickle::Tree& tree, NodeId node);

/// "a.b"; "b" where `path` is empty.
std::string join_path(const std::string& path, std::string_view key);

}  // namespace samebits
