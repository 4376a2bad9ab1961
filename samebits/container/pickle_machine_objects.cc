// Opcodes that put values together, name globals, and would call things: all become inert nodes.
#include "samebits/container/pickle_machine.h"

namespace samebits::pickle {
namespace {

const char* article_and_kind(Kind kind) {
  switch (kind) {
    case Kind::none: return "None";
    case Kind::boolean: return "a bool";
    case Kind::integer:
    case Kind::big_integer: return "an int";
    case Kind::real: return "a float";
    case Kind::text: return "a str";
    case Kind::bytes: return "bytes";
    case Kind::list: return "a list";
    case Kind::tuple: return "a tuple";
    case Kind::dict: return "a dict";
    case Kind::set: return "a set";
    case Kind::frozenset: return "a frozenset";
    default: return "an object";
  }
}

}  // namespace

template <Kind K>
Result<void> Machine::empty() {
  return push(builder_.scalar(K, 0, offset_));
}
template Result<void> Machine::empty<Kind::list>();
template Result<void> Machine::empty<Kind::dict>();
template Result<void> Machine::empty<Kind::set>();

/// Replaces what stands at `begin` and above by one node.
Result<void> Machine::push_tuple(Kind kind, std::size_t begin) {
  const NodeId node = builder_.tuple(kind, std::span(stack_).subspan(begin), offset_);
  stack_.resize(begin);
  return push(node);
}

template <Kind K>
Result<void> Machine::tuple_from_mark() {
  SAMEBITS_TRY(const std::size_t begin, take_mark());
  return push_tuple(K, begin);
}
template Result<void> Machine::tuple_from_mark<Kind::tuple>();
template Result<void> Machine::tuple_from_mark<Kind::frozenset>();

template <std::size_t Count>
Result<void> Machine::tuple_of() {
  if (stack_.size() < fence() + Count) return fail(underflow());
  return push_tuple(Kind::tuple, stack_.size() - Count);
}
template Result<void> Machine::tuple_of<0>();
template Result<void> Machine::tuple_of<1>();
template Result<void> Machine::tuple_of<2>();
template Result<void> Machine::tuple_of<3>();

Result<void> Machine::list_from_mark() {
  SAMEBITS_TRY(const std::size_t begin, take_mark());
  const NodeId list = builder_.scalar(Kind::list, 0, offset_);
  for (std::size_t i = begin; i < stack_.size(); ++i) builder_.append(list, stack_[i]);
  stack_.resize(begin);
  return push(list);
}

Result<void> Machine::dict_from_mark() {
  SAMEBITS_TRY(const std::size_t begin, take_mark());
  if ((stack_.size() - begin) % 2 != 0) return fail(bad("DICT has a key without a value"));
  const NodeId dict = builder_.scalar(Kind::dict, 0, offset_);
  for (std::size_t i = begin; i < stack_.size(); i += 2)
    builder_.set(dict, stack_[i], stack_[i + 1]);
  stack_.resize(begin);
  return push(dict);
}

/// The node under what stands at `begin` and above, which must be able to take that in.
Result<NodeId> Machine::target_below(std::size_t begin, Kind wanted) {
  if (begin <= fence() || begin > stack_.size()) return fail(underflow());
  const NodeId target = stack_[begin - 1];
  const Kind kind = builder_.kind(target);
  if (begin != stack_.size() && kind != wanted && !is_opaque(kind)) {
    Error error = bad(std::string(opcode_->name) + " is applied to a wrong value");
    error.expected = article_and_kind(wanted);
    error.found = article_and_kind(kind);
    return fail(std::move(error));
  }
  return target;
}

/// What is added to a plain container only makes it; to anything else it may be a change of what
/// was there before. Nothing added is no change.
void Machine::note_effect(Effect effect, NodeId target, NodeId given) {
  if (!is_opaque(builder_.kind(target))) return;
  result_.calls.push_back({.effect = effect, .target = target, .given = given, .offset = offset_});
}

Result<void> Machine::append_from(std::size_t begin, Kind wanted, Effect effect) {
  SAMEBITS_TRY(const NodeId target, target_below(begin, wanted));
  if (begin < stack_.size()) note_effect(effect, target, stack_[begin]);
  for (std::size_t i = begin; i < stack_.size(); ++i) builder_.append(target, stack_[i]);
  stack_.resize(begin);
  return {};
}

Result<void> Machine::set_from(std::size_t begin, Effect effect) {
  SAMEBITS_TRY(const NodeId target, target_below(begin, Kind::dict));
  if ((stack_.size() - begin) % 2 != 0)
    return fail(bad(std::string(opcode_->name) + " has a key without a value"));
  if (begin < stack_.size()) note_effect(effect, target, stack_[begin]);
  for (std::size_t i = begin; i < stack_.size(); i += 2)
    builder_.set(target, stack_[i], stack_[i + 1]);
  stack_.resize(begin);
  return {};
}

Result<void> Machine::append() {
  if (stack_.size() < fence() + 2) return fail(underflow());
  return append_from(stack_.size() - 1, Kind::list, Effect::append);
}

Result<void> Machine::appends() {
  SAMEBITS_TRY(const std::size_t begin, take_mark());
  return append_from(begin, Kind::list, Effect::appends);
}

Result<void> Machine::setitem() {
  if (stack_.size() < fence() + 3) return fail(underflow());
  return set_from(stack_.size() - 2, Effect::setitem);
}

Result<void> Machine::setitems() {
  SAMEBITS_TRY(const std::size_t begin, take_mark());
  return set_from(begin, Effect::setitems);
}

Result<void> Machine::additems() {
  SAMEBITS_TRY(const std::size_t begin, take_mark());
  return append_from(begin, Kind::set, Effect::additems);
}

/// A last line without an end is read short of its last byte and its name imported, before Python
/// notices the end of the file: so it counts.
Result<std::string_view> Machine::global_name_line() {
  const std::string_view rest = as_text(reader_.rest());
  if (rest.size() < 2 || rest.find('\n') != rest.npos) return line();
  SAMEBITS_TRY_VOID(take(rest.size()));
  return rest.substr(0, rest.size() - 1);
}

NodeId Machine::make_global(std::uint32_t module, std::uint32_t name) {
  const NodeId node = builder_.global(module, name, offset_);
  if (seen_globals_.emplace(module, name).second) result_.globals.push_back(node);
  return node;
}

/// The text of an operand of STACK_GLOBAL, or "" where only running the pickle could tell. Bytes
/// count as text: a Python 2 str becomes one where the caller of load names its encoding.
Result<std::uint32_t> Machine::global_part(NodeId node) {
  const Kind kind = builder_.kind(node);
  if (kind == Kind::text || kind == Kind::bytes) return builder_.intern_node(node);
  if (is_opaque(kind)) return builder_.intern("");
  Error error = bad("STACK_GLOBAL is applied to a wrong value");
  error.expected = article_and_kind(Kind::text);
  error.found = article_and_kind(kind);
  return fail(std::move(error));
}

Result<void> Machine::global() {
  SAMEBITS_TRY(const std::string_view module, line());
  SAMEBITS_TRY(const std::string_view name, global_name_line());
  return push(make_global(builder_.intern(module), builder_.intern(name)));
}

Result<void> Machine::stack_global() {
  SAMEBITS_TRY(const NodeId name_node, pop());
  SAMEBITS_TRY(const NodeId module_node, pop());
  SAMEBITS_TRY(const std::uint32_t module, global_part(module_node));
  SAMEBITS_TRY(const std::uint32_t name, global_part(name_node));
  return push(make_global(module, name));
}

Result<void> Machine::call(CallKind kind, NodeId callable, NodeId args, NodeId kwargs) {
  const NodeId object = builder_.object(kind, callable, args, kwargs, offset_);
  result_.calls.push_back({.kind = kind, .target = object, .offset = offset_});
  return push(object);
}

Result<void> Machine::reduce() {
  SAMEBITS_TRY(const NodeId args, pop());
  SAMEBITS_TRY(const NodeId callable, pop());
  return call(CallKind::reduce, callable, args, kNone);
}

Result<void> Machine::newobj() {
  SAMEBITS_TRY(const NodeId args, pop());
  SAMEBITS_TRY(const NodeId callable, pop());
  return call(CallKind::newobj, callable, args, kNone);
}

Result<void> Machine::newobj_ex() {
  SAMEBITS_TRY(const NodeId kwargs, pop());
  SAMEBITS_TRY(const NodeId args, pop());
  SAMEBITS_TRY(const NodeId callable, pop());
  return call(CallKind::newobj_ex, callable, args, kwargs);
}

Result<void> Machine::obj() {
  SAMEBITS_TRY(const std::size_t begin, take_mark());
  if (begin == stack_.size()) return fail(underflow());
  SAMEBITS_TRY_VOID(push_tuple(Kind::tuple, begin + 1));
  const NodeId args = stack_.back();
  const NodeId callable = stack_[begin];
  stack_.resize(begin);
  return call(CallKind::obj, callable, args, kNone);
}

Result<void> Machine::inst() {
  SAMEBITS_TRY(const std::size_t begin, take_mark());
  SAMEBITS_TRY(const std::string_view module, line());
  SAMEBITS_TRY(const std::string_view name, global_name_line());
  const NodeId callable = make_global(builder_.intern(module), builder_.intern(name));
  SAMEBITS_TRY_VOID(push_tuple(Kind::tuple, begin));
  const NodeId args = stack_.back();
  stack_.resize(begin);
  return call(CallKind::inst, callable, args, kNone);
}

Result<void> Machine::build() {
  if (stack_.size() < fence() + 2) return fail(underflow());
  const NodeId state = stack_.back();
  stack_.pop_back();
  const NodeId target = stack_.back();
  builder_.add_state(target, state);
  note_effect(Effect::build, target, state);
  return {};
}

Result<void> Machine::persid() {
  SAMEBITS_TRY(const std::string_view text, reader_.line(opcode_->name));
  const NodeId id = builder_.borrowed(Kind::text, text, offset_);
  return push(builder_.scalar(Kind::persistent, id, offset_));
}

Result<void> Machine::binpersid() {
  SAMEBITS_TRY(const NodeId id, pop());
  return push(builder_.scalar(Kind::persistent, id, offset_));
}

}  // namespace samebits::pickle
