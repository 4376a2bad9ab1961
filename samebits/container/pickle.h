// A Python pickle read as an inert tree. No opcode ever leads to a call: what the pickle would call
// is recorded, with its arguments, as a node like any other.
//
// Source: CPython Lib/pickle.py and Lib/pickletools.py, protocols 0 to 5. Memory is bounded by
// kLimits.pickle_nodes and is proportional to the bytes of the pickle, never to sizes that it only
// claims. Shared and cyclic objects stay shared: the "tree" is a graph, and whoever walks it bounds
// the walk (kLimits.tree_depth, tree_visits).
#pragma once

#include <cstdint>
#include <memory>
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

class Tree {
 public:
  std::size_t size() const;
  Kind kind(NodeId id) const;
  /// Byte in the file of the opcode that made the node.
  std::uint64_t offset(NodeId id) const;

  bool boolean(NodeId id) const;          // Kind::boolean
  std::int64_t integer(NodeId id) const;  // Kind::integer, extension
  double real(NodeId id) const;           // Kind::real
  std::string_view text(NodeId id)
      const;  // Kind::text, bytes, big_integer; lives as long as the tree and the file's bytes
  std::string_view module(NodeId id) const;     // Kind::global
  std::string_view name(NodeId id) const;       // Kind::global; may be dotted ("Trace.run")
  std::string qualified_name(NodeId id) const;  // "module.name"

  /// list, tuple, set, frozenset: elements; object: what APPEND(S) or ADDITEMS added to it.
  std::span<const NodeId> items(NodeId id) const;
  /// dict: in the order they were set, a key set twice standing twice (the last one counts);
  /// object: what SETITEM(S) set on it.
  std::span<const std::pair<NodeId, NodeId>> pairs(NodeId id) const;

  CallKind call_kind(NodeId id) const;  // Kind::object
  NodeId callable(NodeId id) const;     // object: usually a global, but may be any node
  NodeId args(NodeId id) const;    // object: a tuple (as given, whatever it is); persistent: the id
  NodeId kwargs(NodeId id) const;  // object: NEWOBJ_EX's dict, else kNone
  std::span<const NodeId> states(
      NodeId id) const;  // every BUILD applied to the node (object, or any other kind a hostile
                         // file builds), in order

  /// The last value set for a text key of a dict (or of an object's pairs), or kNone. Linear in the
  /// pairs.
  NodeId get(NodeId dict, std::string_view key) const;
  /// True where `id` is the global module.name.
  bool is_global(NodeId id, std::string_view module, std::string_view name) const;

 private:
  friend class Machine;
  // (compact storage: decided in pickle.cc's terms)
};

/// One thing that unpickling would have done besides building plain values.
struct Call {
  CallKind kind;
  bool build = false;    // a BUILD on an object (reaches __setstate__ where its class has one);
                         // `target` is that object
  NodeId target;         // the object node
  std::uint64_t offset;  // of the opcode, in the file
};

struct Pickle {
  Tree tree;
  NodeId root = kNone;  // what STOP returned; kNone with `error` set where STOP was not reached
  int protocol = 0;     // the PROTO opcode's argument, 0 without one
  std::uint64_t begin = 0,
                end = 0;  // bytes [begin, end) of the file that the pickle takes; end is past STOP
  std::vector<NodeId>
      globals;              // every GLOBAL, INST, STACK_GLOBAL in order of execution, not repeated
  std::vector<Call> calls;  // in order of execution
  /// Set where the pickle is broken; everything before the fault is kept, since a payload acts
  /// before the opcode that stops a parser (keyerror-exploit).
  std::optional<Error> error;
};

/// True where `bytes` could begin a pickle (PROTO, or an opcode that protocols 0 and 1 begin with).
/// A guess only.
bool looks_like(Bytes bytes);

/// Reads one pickle from the start of `bytes`, which begin at byte `base` of `file`. The result
/// borrows `bytes`. Never fails as a whole: see Pickle::error. Codes: truncated, malformed (unknown
/// opcode, stack underflow, absent memo, bad text), limit. Python's own laxness is followed where
/// it is harmless (a FRAME whose length lies is read as one stream, as the C unpickler does).
Pickle read(Bytes bytes, const std::string& file, std::uint64_t base = 0);

}  // namespace samebits::pickle
