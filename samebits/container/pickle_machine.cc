// The machine's loop, its stack and marks, its memo.
#include "samebits/container/pickle_machine.h"

#include <algorithm>
#include <limits>

#include "samebits/base/limits.h"
#include "samebits/container/pickle_literal.h"

namespace samebits::pickle {
namespace {

std::string hex(std::uint8_t byte) {
  static constexpr char kDigits[] = "0123456789abcdef";
  return {'0', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
}

}  // namespace

Machine::Machine(Bytes bytes, const std::string& file, std::uint64_t base)
    : reader_(bytes, file, base) {
  result_.begin = base;
}

Pickle Machine::run() {
  while (!stopped_ && !result_.error) {
    offset_ = reader_.offset();
    if (auto done = step(); !done) result_.error = std::move(done).error();
  }
  result_.end = reader_.offset();
  result_.tree = builder_.finish();
  return std::move(result_);
}

Result<void> Machine::step() {
  if (reader_.remaining() == 0)
    return fail(reader_.error(ErrorCode::truncated, "the pickle ends without STOP"));
  SAMEBITS_TRY_VOID(check_limits());
  SAMEBITS_TRY(const std::uint8_t code, reader_.u8("an opcode"));
  opcode_ = &opcode(code);
  if (opcode_->handler == nullptr) return fail(bad("the pickle has no opcode " + hex(code)));
  const std::uint64_t begin = reader_.position() - 1;
  SAMEBITS_TRY_VOID((this->*opcode_->handler)());
  if (begin < frame_end_ && reader_.position() > frame_end_) return fail(crosses_frame());
  return {};
}

/// From memory Python reads on; from a file the C unpickler forgets the frame's last bytes; the
/// Python unpickler gives up. No single reading would be the truth.
Error Machine::crosses_frame() const {
  Error error = bad(std::string(opcode_->name) + " crosses the end of its frame");
  error.code = ErrorCode::inconsistent;
  error.hint = "No pickler writes this, and Python's own readers disagree about it";
  return error;
}

/// An opcode makes at most three nodes, pushes at most one value and sets at most one mark.
Result<void> Machine::check_limits() const {
  const auto over = [&](std::string what, std::uint64_t limit) {
    Error error{ErrorCode::limit, std::move(what), reader_.file(), offset_};
    error.expected = "at most " + std::to_string(limit);
    return fail(std::move(error));
  };
  if (builder_.size() + 3 > kLimits.pickle_nodes)
    return over("the pickle makes too many values", kLimits.pickle_nodes);
  if (stack_.size() >= kLimits.pickle_stack || marks_.size() >= kLimits.pickle_stack)
    return over("the pickle's stack grows too high", kLimits.pickle_stack);
  if (builder_.full())
    return over("the pickle's containers hold too many elements",
                std::numeric_limits<std::uint32_t>::max());
  return {};
}

Error Machine::bad(std::string what) const {
  return {ErrorCode::malformed, std::move(what), reader_.file(), offset_};
}

Result<std::string_view> Machine::line() {
  SAMEBITS_TRY(const std::string_view text, reader_.line(opcode_->name));
  if (text.empty()) return fail(bad(std::string(opcode_->name) + " has an empty line"));
  return text;
}

/// An unsigned size; of 8 bytes, one that Python takes.
Result<std::uint64_t> Machine::size_of_width(unsigned width) {
  SAMEBITS_TRY(const Bytes bytes, take(width));
  std::uint64_t value = 0;
  for (unsigned i = 0; i < width; ++i) value |= static_cast<std::uint64_t>(bytes[i]) << (8 * i);
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    return fail(bad(std::string(opcode_->name) + " claims an impossible size"));
  return value;
}

Error Machine::underflow() const {
  const std::string name = opcode_->name;
  return bad(marks_.empty() ? name + " needs more than the stack holds"
                            : name + " meets a MARK where it needs a value");
}

Result<void> Machine::push(NodeId node) {
  stack_.push_back(node);
  return {};
}

Result<NodeId> Machine::pop() {
  SAMEBITS_TRY(const NodeId node, top());
  stack_.pop_back();
  return node;
}

Result<NodeId> Machine::top() const {
  if (stack_.size() <= fence()) return fail(underflow());
  return stack_.back();
}

/// The height of the stack at the last mark, which is taken away. Never above the stack: what pops
/// values stops at the mark.
Result<std::size_t> Machine::take_mark() {
  if (marks_.empty()) return fail(bad(std::string(opcode_->name) + " finds no MARK"));
  const std::size_t height = marks_.back();
  marks_.pop_back();
  return height;
}

Result<void> Machine::mark() {
  marks_.push_back(stack_.size());
  return {};
}

/// POP takes a mark where that is on top.
Result<void> Machine::pop_one() {
  if (!marks_.empty() && marks_.back() == stack_.size()) {
    marks_.pop_back();
    return {};
  }
  SAMEBITS_TRY_VOID(pop());
  return {};
}

Result<void> Machine::pop_mark() {
  SAMEBITS_TRY(const std::size_t height, take_mark());
  stack_.resize(height);
  return {};
}

Result<void> Machine::dup() {
  SAMEBITS_TRY(const NodeId node, top());
  return push(node);
}

Result<std::uint64_t> Machine::memo_line() {
  SAMEBITS_TRY(const std::string_view text, line());
  const auto index = parse_integer(text, 10);
  if (!index || !index->big.empty() || index->small < 0)
    return fail(bad(std::string(opcode_->name) + " has no valid memo index"));
  return static_cast<std::uint64_t>(index->small);
}

Result<void> Machine::get_at(std::uint64_t index) {
  const NodeId* entry = memo_.find(index);
  if (entry == nullptr)
    return fail(bad(std::string(opcode_->name) + " reads memo entry " + std::to_string(index) +
                    ", which was never set"));
  return push(*entry);
}

Result<void> Machine::put_at(std::uint64_t index) {
  SAMEBITS_TRY(const NodeId node, top());
  memo_.put(index, node);
  return {};
}

Result<void> Machine::get() {
  SAMEBITS_TRY(const std::uint64_t index, memo_line());
  return get_at(index);
}

template <unsigned Width>
Result<void> Machine::get_binary() {
  SAMEBITS_TRY(const std::uint64_t index, size_of_width(Width));
  return get_at(index);
}
template Result<void> Machine::get_binary<1>();
template Result<void> Machine::get_binary<4>();

Result<void> Machine::put() {
  SAMEBITS_TRY(const std::uint64_t index, memo_line());
  return put_at(index);
}

template <unsigned Width>
Result<void> Machine::put_binary() {
  SAMEBITS_TRY(const std::uint64_t index, size_of_width(Width));
  return put_at(index);
}
template Result<void> Machine::put_binary<1>();
template Result<void> Machine::put_binary<4>();

Result<void> Machine::memoize() { return put_at(memo_.count()); }

Result<void> Machine::proto() {
  SAMEBITS_TRY(const std::uint8_t version, reader_.u8(opcode_->name));
  if (version > 5) {
    Error error{ErrorCode::unsupported, "the pickle has an unknown protocol", reader_.file(),
                offset_};
    error.expected = "at most 5";
    error.found = std::to_string(version);
    return fail(std::move(error));
  }
  result_.protocol = version;
  return {};
}

/// A frame must be there in full; a frame inside a frame must end inside it.
Result<void> Machine::frame() {
  SAMEBITS_TRY(const std::uint64_t size, size_of_width(8));
  const std::uint64_t begin = reader_.position();
  SAMEBITS_TRY_VOID(take(size));
  const std::uint64_t end = reader_.position();
  if (begin - 9 < frame_end_ && end > frame_end_) return fail(crosses_frame());
  frame_end_ = std::max(frame_end_, end);
  return reader_.seek(begin);
}

Result<void> Machine::stop() {
  SAMEBITS_TRY(result_.root, pop());
  stopped_ = true;
  return {};
}

bool looks_like(Bytes bytes) {
  // Every opcode that needs nothing before it: someone who hides a payload leaves PROTO out.
  static constexpr std::string_view kFirst =
      "(c]})NIJKMLFGSTUVXPBC\x82\x83\x84\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x95\x96\x97";
  if (bytes.empty()) return false;
  if (bytes[0] == 0x80) return bytes.size() > 1 && bytes[1] <= 5;
  return kFirst.find(static_cast<char>(bytes[0])) != kFirst.npos;
}

Pickle read(Bytes bytes, const std::string& file, std::uint64_t base) {
  return Machine(bytes, file, base).run();
}

}  // namespace samebits::pickle
