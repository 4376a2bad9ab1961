// A Python pickle read as an inert tree. No opcode ever leads to a call: what the pickle would call
// is recorded, with its arguments, as a node like any other.
//
// Source: CPython Lib/pickle.py and Lib/pickletools.py, protocols 0 to 5. Memory is bounded by
// kLimits.pickle_nodes and is proportional to the bytes of the pickle, never to sizes that it only
// claims. Shared and cyclic objects stay shared: the "tree" is a graph, and whoever walks it bounds
// the walk (kLimits.tree_depth, tree_visits).
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"

namespace samebits::pickle {

using NodeId = std::uint32_t;
inline constexpr NodeId kNone =
    0;  // node 0 of every tree is None: "nothing here" for optional parts

enum class Kind : std::uint8_t {
  none,
  boolean,
  integer,      // fits in int64
  big_integer,  // text(): two's complement, little-endian bytes
  real,
  text,   // str; text() is UTF-8 (surrogates kept as their three bytes)
  bytes,  // bytes, bytearray, or a protocol 0-2 str that is not ASCII
  list,
  tuple,
  dict,  // pairs()
  set,
  frozenset,
  global,      // a class or function by name: module(), name()
  object,      // what a call would give: callable(), args(), kwargs(), and then states(), items(),
               // pairs()
  persistent,  // PERSID, BINPERSID: args() is the id (a tuple for torch storages, text for protocol
               // 0)
  extension,   // EXT1, 2, 4: integer() is the code
  buffer,      // NEXT_BUFFER: data that is not in the stream
};

/// How an `object` would come to be.
enum class CallKind : std::uint8_t { reduce, newobj, newobj_ex, obj, inst };

/// The nodes of one pickle. Accessors are total: asked of a node of another kind they give the
/// empty value (false, 0, "", kNone, no elements), so that a walk over a hostile tree needs no
/// care; an id that is not below size() is a mistake of the caller and ends the program.
///
/// Views point into the file's bytes wherever the value stands there literally, and else into the
/// tree. A tree can be moved, which keeps every view valid, but not copied.
class Tree {
 public:
  Tree() = default;
  Tree(Tree&&) = default;
  Tree& operator=(Tree&&) = default;
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  std::size_t size() const { return nodes_.size(); }
  Kind kind(NodeId id) const { return static_cast<Kind>(node(id).kind); }
  /// Byte in the file of the opcode that made the node.
  std::uint64_t offset(NodeId id) const { return node(id).offset; }

  bool boolean(NodeId id) const;          // Kind::boolean
  std::int64_t integer(NodeId id) const;  // Kind::integer, extension
  double real(NodeId id) const;           // Kind::real
  /// Kind::text, bytes, big_integer; lives as long as the tree and the file's bytes.
  std::string_view text(NodeId id) const;
  /// Kind::global, as the pickle spells them (protocol 2 writes `__builtin__` for `builtins`).
  /// Empty where only running the pickle could tell: STACK_GLOBAL on what a call returned.
  std::string_view module(NodeId id) const;
  std::string_view name(NodeId id) const;       // may be dotted ("Trace.run")
  std::string qualified_name(NodeId id) const;  // "module.name", with "?" for a part not known

  /// list, tuple, set, frozenset: elements; opaque nodes: what APPEND(S) or ADDITEMS added to them.
  std::span<const NodeId> items(NodeId id) const;
  /// dict: in the order they were set, a key set twice standing twice (the last one counts);
  /// opaque nodes: what SETITEM(S) set on them.
  std::span<const std::pair<NodeId, NodeId>> pairs(NodeId id) const;

  CallKind call_kind(NodeId id) const;  // Kind::object
  NodeId callable(NodeId id) const;     // object: usually a global, but may be any node
  NodeId args(NodeId id) const;    // object: a tuple (as given, whatever it is); persistent: the id
  NodeId kwargs(NodeId id) const;  // object: NEWOBJ_EX's dict, else kNone
  /// Every BUILD applied to the node (object, or any other kind a hostile file builds), in order.
  std::span<const NodeId> states(NodeId id) const;

  /// The last value set for a text key of a dict (or of an object's pairs), or kNone (a value None
  /// has a node of its own and is not kNone). Linear in the pairs.
  NodeId get(NodeId dict, std::string_view key) const;
  /// True where `id` is the global module.name.
  bool is_global(NodeId id, std::string_view module, std::string_view name) const;

 private:
  friend class TreeBuilder;

  struct Node {
    std::uint64_t kind : 8;
    std::uint64_t offset : 56;
    std::uint64_t value;  // the number itself, or an index; see TreeBuilder
  };
  struct Object {
    NodeId callable, args, kwargs;
    CallKind kind;
  };
  /// Lists for the few nodes that have one: values of equal owners stand together, owners ascend.
  template <class T>
  struct Attached {
    std::vector<NodeId> owners;
    std::vector<T> values;
    std::span<const T> of(NodeId owner) const;
  };

  const Node& node(NodeId id) const {
    SAMEBITS_CHECK(id < nodes_.size());
    return nodes_[id];
  }

  // Deques, since growing a vector would hold the nodes three times for a moment.
  std::deque<Node> nodes_;
  std::deque<std::string_view> texts_;
  std::deque<std::string> owned_;  // what texts_ points to where the file has it only escaped
  std::deque<Object> objects_;
  std::vector<NodeId> elements_;  // of tuples, lists, sets and frozensets, each a range
  std::vector<std::pair<NodeId, NodeId>> pairs_;  // of dicts, each a range
  Attached<NodeId> attached_items_;
  Attached<std::pair<NodeId, NodeId>> attached_pairs_;
  Attached<NodeId> states_;
};

/// True for what only running the pickle could make: object, global, persistent, extension, buffer.
/// APPEND, SETITEM and ADDITEMS on such a node are recorded; on a plain value of the wrong kind
/// they are an error.
bool is_opaque(Kind kind);

/// How an opcode acts on an opaque node that stands there already.
enum class Effect : std::uint8_t {
  none,   // a call, which makes the node
  build,  // reaches __setstate__ where the object has one, else sets attributes
  setitem,
  setitems,
  append,  // APPEND(S) and ADDITEMS look `append`, `extend` or `add` up in the object and call it
  appends,
  additems,
};

/// One thing that unpickling would have done besides building plain values.
struct Call {
  CallKind kind = CallKind::reduce;  // where `effect` is none
  Effect effect = Effect::none;
  NodeId target;  // the object node that a call makes; for an effect any opaque node: what was
                  // reached as a global can be changed, too
  NodeId given = kNone;      // an effect's state, first key or first element
  std::uint64_t offset = 0;  // of the opcode, in the file
};

struct Pickle {
  Tree tree;
  NodeId root = kNone;  // what STOP returned; kNone with `error` set where STOP was not reached
  int protocol = 0;     // the PROTO opcode's argument, 0 without one
  std::uint64_t begin = 0,
                end = 0;  // bytes [begin, end) of the file that the pickle takes; end is past STOP
  std::vector<NodeId>
      globals;  // every GLOBAL, INST, STACK_GLOBAL in order of execution, no name repeated
  std::deque<Call> calls;  // in order of execution; a deque, since there may be as many as opcodes
  /// Set where the pickle is broken; everything before the fault is kept, since a payload acts
  /// before the opcode that stops a parser (keyerror-exploit).
  std::optional<Error> error;
};

/// True where `bytes` could begin a pickle: PROTO, or any opcode that needs nothing before it. A
/// guess only, which also takes "PK" and "\x89PNG" for one: ask for the other formats first.
bool looks_like(Bytes bytes);

/// Reads one pickle from the start of `bytes`, which begin at byte `base` of `file`. The result
/// borrows `bytes`. Never fails as a whole: see Pickle::error. Codes: truncated, malformed (unknown
/// opcode, stack underflow, absent memo, bad text), unsupported (protocol 6), inconsistent (an
/// opcode that crosses the end of its frame: Python's own readers disagree about what follows),
/// limit. Time is linear in the bytes, up to a logarithm.
///
/// The C unpickler is followed, also in its laxness: bytes outside of frames, STOP with a taller
/// stack (its top counts). Where a check needs the objects themselves this reader is laxer:
/// unhashable keys, calls of what cannot be called, text that is not UTF-8 (its bytes are kept),
/// bytes as operands of STACK_GLOBAL. It is stricter in one way: SETITEM on a list and APPEND on a
/// bytearray, which Python allows and no pickler writes, are errors.
Pickle read(Bytes bytes, const std::string& file, std::uint64_t base = 0);

}  // namespace samebits::pickle
