// Every opcode of protocols 0 to 5: its byte, its name in pickletools, and what it does.
#include <array>

#include "samebits/container/pickle_machine.h"

namespace samebits::pickle {

const Machine::Opcode& Machine::opcode(std::uint8_t code) {
  using M = Machine;
  static constexpr Opcode kOpcodes[] = {
      // Protocol 0
      {'(', "MARK", &M::mark},
      {'.', "STOP", &M::stop},
      {'0', "POP", &M::pop_one},
      {'2', "DUP", &M::dup},
      {'F', "FLOAT", &M::float_text},
      {'I', "INT", &M::int_text},
      {'L', "LONG", &M::long_text},
      {'N', "NONE", &M::none},
      {'P', "PERSID", &M::persid},
      {'R', "REDUCE", &M::reduce},
      {'S', "STRING", &M::string_text},
      {'V', "UNICODE", &M::unicode_text},
      {'a', "APPEND", &M::append},
      {'b', "BUILD", &M::build},
      {'c', "GLOBAL", &M::global},
      {'d', "DICT", &M::dict_from_mark},
      {'g', "GET", &M::get},
      {'i', "INST", &M::inst},
      {'l', "LIST", &M::list_from_mark},
      {'p', "PUT", &M::put},
      {'s', "SETITEM", &M::setitem},
      {'t', "TUPLE", &M::tuple_from_mark<Kind::tuple>},
      // Protocol 1
      {')', "EMPTY_TUPLE", &M::tuple_of<0>},
      {'1', "POP_MARK", &M::pop_mark},
      {'G', "BINFLOAT", &M::float_binary},
      {'J', "BININT", &M::int_binary<4>},
      {'K', "BININT1", &M::int_binary<1>},
      {'M', "BININT2", &M::int_binary<2>},
      {'Q', "BINPERSID", &M::binpersid},
      {'T', "BINSTRING", &M::string_binary<4>},
      {'U', "SHORT_BINSTRING", &M::string_binary<1>},
      {'X', "BINUNICODE", &M::counted<Kind::text, 4>},
      {']', "EMPTY_LIST", &M::empty<Kind::list>},
      {'e', "APPENDS", &M::appends},
      {'h', "BINGET", &M::get_binary<1>},
      {'j', "LONG_BINGET", &M::get_binary<4>},
      {'o', "OBJ", &M::obj},
      {'q', "BINPUT", &M::put_binary<1>},
      {'r', "LONG_BINPUT", &M::put_binary<4>},
      {'u', "SETITEMS", &M::setitems},
      {'}', "EMPTY_DICT", &M::empty<Kind::dict>},
      // Protocol 2
      {0x80, "PROTO", &M::proto},
      {0x81, "NEWOBJ", &M::newobj},
      {0x82, "EXT1", &M::extension<1>},
      {0x83, "EXT2", &M::extension<2>},
      {0x84, "EXT4", &M::extension<4>},
      {0x85, "TUPLE1", &M::tuple_of<1>},
      {0x86, "TUPLE2", &M::tuple_of<2>},
      {0x87, "TUPLE3", &M::tuple_of<3>},
      {0x88, "NEWTRUE", &M::boolean<true>},
      {0x89, "NEWFALSE", &M::boolean<false>},
      {0x8a, "LONG1", &M::long_binary<1>},
      {0x8b, "LONG4", &M::long_binary<4>},
      // Protocol 3
      {'B', "BINBYTES", &M::counted<Kind::bytes, 4>},
      {'C', "SHORT_BINBYTES", &M::counted<Kind::bytes, 1>},
      // Protocol 4
      {0x8c, "SHORT_BINUNICODE", &M::counted<Kind::text, 1>},
      {0x8d, "BINUNICODE8", &M::counted<Kind::text, 8>},
      {0x8e, "BINBYTES8", &M::counted<Kind::bytes, 8>},
      {0x8f, "EMPTY_SET", &M::empty<Kind::set>},
      {0x90, "ADDITEMS", &M::additems},
      {0x91, "FROZENSET", &M::tuple_from_mark<Kind::frozenset>},
      {0x92, "NEWOBJ_EX", &M::newobj_ex},
      {0x93, "STACK_GLOBAL", &M::stack_global},
      {0x94, "MEMOIZE", &M::memoize},
      {0x95, "FRAME", &M::frame},
      // Protocol 5
      {0x96, "BYTEARRAY8", &M::counted<Kind::bytes, 8>},
      {0x97, "NEXT_BUFFER", &M::next_buffer},
      {0x98, "READONLY_BUFFER", &M::readonly_buffer},
  };
  static constexpr auto kByCode = [] {
    std::array<Opcode, 256> table{};
    for (const Opcode& entry : kOpcodes) table[entry.code] = entry;
    return table;
  }();
  return kByCode[code];
}

}  // namespace samebits::pickle
