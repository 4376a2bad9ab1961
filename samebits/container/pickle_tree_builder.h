// Makes a pickle's tree, node by node. What is added to a container is first only logged, and put
// together per container at the end, so that a node costs 16 bytes and an element 4 (12 while
// reading), however the file interleaves its containers.
//
// Meaning of Node::value: boolean, integer, extension, real: the number's bits; text, bytes,
// big_integer: index into texts_; global: indexes of module and name in texts_; object: index into
// objects_; persistent: the node of its id; list, tuple, set, frozenset, dict: begin and count of a
// range of elements_ or pairs_. An index or begin stands in the low half, a second one or a count
// in the high half.
#pragma once

#include <map>

#include "samebits/container/pickle.h"

namespace samebits::pickle {

class TreeBuilder {
 public:
  /// Begins with node 0, None, and text 0, "".
  TreeBuilder();

  std::size_t size() const { return tree_.size(); }
  Kind kind(NodeId id) const { return tree_.kind(id); }
  /// True where one more opcode could overflow the 32-bit ranges.
  bool full() const;

  /// Any node without parts; also an empty list, set or dict.
  NodeId scalar(Kind kind, std::uint64_t value, std::uint64_t offset);
  /// `text` must outlive the tree: a part of the file's bytes.
  NodeId borrowed(Kind kind, std::string_view text, std::uint64_t offset);
  NodeId owned(Kind kind, std::string text, std::uint64_t offset);
  NodeId tuple(Kind kind, std::span<const NodeId> elements, std::uint64_t offset);
  NodeId object(CallKind call, NodeId callable, NodeId args, NodeId kwargs, std::uint64_t offset);
  /// `module` and `name` as intern() gives them.
  NodeId global(std::uint32_t module, std::uint32_t name, std::uint64_t offset);

  /// The target is a list or set (append) or dict (set), or opaque.
  void append(NodeId target, NodeId item);
  void set(NodeId target, NodeId key, NodeId value);
  void add_state(NodeId target, NodeId state) { states_.emplace_back(target, state); }

  /// Equal texts have equal indexes. Linear in the text only once for each node, so that a long
  /// text used by many STACK_GLOBALs costs no more than its bytes.
  std::uint32_t intern(std::string_view text);
  std::uint32_t intern_node(NodeId text);

  /// A copy of all nodes of `other`, and of its texts; what stood at `id` stands at id plus the
  /// number that is returned, but for node 0, which stays what it is.
  NodeId graft(const Tree& other);

  /// The builder is used up.
  Tree finish();

 private:
  using Pair = std::pair<NodeId, NodeId>;

  NodeId copy_node(const Tree& other, NodeId id, NodeId shift);

  Tree tree_;
  std::map<std::string_view, std::uint32_t> interned_;
  std::vector<bool> is_interned_;  // by index of texts_
  std::vector<std::pair<NodeId, NodeId>> appends_, opaque_appends_, states_;
  std::vector<std::pair<NodeId, Pair>> sets_, opaque_sets_;
};

}  // namespace samebits::pickle
