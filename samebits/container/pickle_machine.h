// The pickle machine: a stack, marks and a memo, driven by opcodes. Its values are nodes of a tree.
//
// Source: CPython 3.11 Modules/_pickle.c; names and order of checks follow it.
#pragma once

#include <set>

#include "samebits/base/bytes.h"
#include "samebits/container/pickle.h"
#include "samebits/container/pickle_memo.h"
#include "samebits/container/pickle_tree_builder.h"

namespace samebits::pickle {

class Machine {
 public:
  using Handler = Result<void> (Machine::*)();
  struct Opcode {
    std::uint8_t code = 0;
    const char* name = nullptr;  // as in pickletools; null where there is no such opcode
    Handler handler = nullptr;
  };

  Machine(Bytes bytes, const std::string& file, std::uint64_t base);

  /// The machine is used up.
  Pickle run();

 private:
  // pickle_opcodes.cc
  static const Opcode& opcode(std::uint8_t code);

  // pickle_machine.cc: the loop, stack and marks, memo, frame
  Result<void> step();
  Result<void> check_limits() const;
  Error bad(std::string what) const;
  Error crosses_frame() const;
  Result<Bytes> take(std::uint64_t count) { return reader_.take(count, opcode_->name); }
  Result<std::string_view> line();
  Result<std::uint64_t> size_of_width(unsigned width);
  std::size_t fence() const { return marks_.empty() ? 0 : marks_.back(); }
  Error underflow() const;
  Result<void> push(NodeId node);
  Result<NodeId> pop();
  Result<NodeId> top() const;
  Result<std::size_t> take_mark();
  Result<std::uint64_t> memo_line();
  Result<void> get_at(std::uint64_t index);
  Result<void> put_at(std::uint64_t index);
  Result<void> mark();
  Result<void> pop_one();
  Result<void> pop_mark();
  Result<void> dup();
  Result<void> get();
  template <unsigned Width>
  Result<void> get_binary();
  Result<void> put();
  template <unsigned Width>
  Result<void> put_binary();
  Result<void> memoize();
  Result<void> proto();
  Result<void> frame();
  Result<void> stop();

  // pickle_machine_values.cc: opcodes that carry their value
  Result<void> push_text(Kind kind, std::string_view text);
  Result<void> push_integer(std::string_view twos_complement);
  Result<void> none();
  template <bool Value>
  Result<void> boolean();
  Result<void> int_text();
  Result<void> long_text();
  Result<void> float_text();
  Result<void> string_text();
  Result<void> unicode_text();
  template <unsigned Width>
  Result<void> int_binary();
  template <unsigned Width>
  Result<void> long_binary();
  Result<void> float_binary();
  template <unsigned Width>
  Result<void> string_binary();
  template <Kind K, unsigned Width>
  Result<void> counted();
  template <unsigned Width>
  Result<void> extension();
  Result<void> next_buffer();
  Result<void> readonly_buffer();

  // pickle_machine_objects.cc: containers, names, and what would be calls
  template <Kind K>
  Result<void> empty();
  Result<void> push_tuple(Kind kind, std::size_t begin);
  template <Kind K>
  Result<void> tuple_from_mark();
  template <std::size_t Count>
  Result<void> tuple_of();
  Result<void> list_from_mark();
  Result<void> dict_from_mark();
  Result<NodeId> target_below(std::size_t begin, Kind wanted);
  Result<void> append_from(std::size_t begin, Kind wanted, Effect effect);
  Result<void> set_from(std::size_t begin, Effect effect);
  void note_effect(Effect effect, NodeId target, NodeId given);
  Result<void> append();
  Result<void> appends();
  Result<void> setitem();
  Result<void> setitems();
  Result<void> additems();
  Result<std::string_view> global_name_line();
  NodeId make_global(std::uint32_t module, std::uint32_t name);
  Result<std::uint32_t> global_part(NodeId node);
  Result<void> global();
  Result<void> stack_global();
  Result<void> call(CallKind kind, NodeId callable, NodeId args, NodeId kwargs);
  Result<void> reduce();
  Result<void> newobj();
  Result<void> newobj_ex();
  Result<void> obj();
  Result<void> inst();
  Result<void> build();
  Result<void> persid();
  Result<void> binpersid();

  ByteReader reader_;
  TreeBuilder builder_;
  Pickle result_;
  std::vector<NodeId> stack_;
  std::vector<std::size_t> marks_;  // each the height of the stack below it
  Memo memo_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> seen_globals_;  // module and name, interned
  const Opcode* opcode_ = nullptr;                                  // the one being executed
  std::uint64_t offset_ = 0;                                        // of it, in the file
  std::uint64_t frame_end_ = 0;                                     // a position of reader_
  bool stopped_ = false;
};

}  // namespace samebits::pickle
