// Opcodes that carry their value: numbers, text, bytes.
#include <algorithm>
#include <bit>

#include "samebits/base/limits.h"
#include "samebits/container/pickle_literal.h"
#include "samebits/container/pickle_machine.h"

namespace samebits::pickle {
namespace {

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

/// The kind of a str that Python 2 wrote, which has no encoding.
Kind kind_of_string(std::string_view text) { return is_ascii(text) ? Kind::text : Kind::bytes; }

}  // namespace

Result<void> Machine::push_text(Kind kind, std::string_view text) {
  return push(builder_.borrowed(kind, text, offset_));
}

Result<void> Machine::push_integer(std::string_view twos_complement) {
  const std::string_view bytes = trim_twos_complement(twos_complement);
  if (bytes.size() > 8) return push_text(Kind::big_integer, bytes);
  const auto value = static_cast<std::uint64_t>(load_twos_complement(bytes));
  return push(builder_.scalar(Kind::integer, value, offset_));
}

Result<void> Machine::none() { return push(builder_.scalar(Kind::none, 0, offset_)); }

template <bool Value>
Result<void> Machine::boolean() {
  return push(builder_.scalar(Kind::boolean, Value, offset_));
}
template Result<void> Machine::boolean<false>();
template Result<void> Machine::boolean<true>();

Result<void> Machine::int_text() {
  SAMEBITS_TRY(const std::string_view text, line());
  const auto argument = parse_int_argument(text);
  if (!argument) return fail(bad("INT has no valid integer"));
  const auto& [value, is_boolean] = *argument;
  if (!value.big.empty()) return push(builder_.owned(Kind::big_integer, value.big, offset_));
  const Kind kind = is_boolean ? Kind::boolean : Kind::integer;
  return push(builder_.scalar(kind, static_cast<std::uint64_t>(value.small), offset_));
}

Result<void> Machine::long_text() {
  SAMEBITS_TRY(std::string_view text, line());
  if (text.ends_with('L')) text.remove_suffix(1);
  const auto value = parse_integer(text, 0);
  if (!value) return fail(bad("LONG has no valid integer"));
  if (!value->big.empty()) return push(builder_.owned(Kind::big_integer, value->big, offset_));
  return push(builder_.scalar(Kind::integer, static_cast<std::uint64_t>(value->small), offset_));
}

Result<void> Machine::float_text() {
  SAMEBITS_TRY(const std::string_view text, line());
  const auto value = parse_real(text);
  if (!value) return fail(bad("FLOAT has no valid number"));
  return push(builder_.scalar(Kind::real, std::bit_cast<std::uint64_t>(*value), offset_));
}

Result<void> Machine::string_text() {
  SAMEBITS_TRY(std::string_view text, line());
  const bool quoted = text.size() >= 2 && text.front() == text.back() &&
                      (text.front() == '\'' || text.front() == '"');
  if (!quoted) return fail(bad("STRING is not quoted"));
  text = text.substr(1, text.size() - 2);
  if (text.find('\\') == text.npos) return push_text(kind_of_string(text), text);
  auto plain = unescape_bytes(text);
  if (!plain) return fail(bad("STRING has a bad escape"));
  const Kind kind = kind_of_string(*plain);
  return push(builder_.owned(kind, std::move(*plain), offset_));
}

Result<void> Machine::unicode_text() {
  SAMEBITS_TRY(const std::string_view text, reader_.line(opcode_->name));
  if (is_ascii(text) && text.find('\\') == text.npos) return push_text(Kind::text, text);
  auto utf8 = decode_raw_unicode_escape(text);
  if (!utf8) return fail(bad("UNICODE has a bad escape"));
  return push(builder_.owned(Kind::text, std::move(*utf8), offset_));
}

/// BININT is signed, BININT1 and BININT2 are not.
template <unsigned Width>
Result<void> Machine::int_binary() {
  SAMEBITS_TRY(std::uint64_t value, size_of_width(Width));
  if constexpr (Width == 4)
    value = static_cast<std::uint64_t>(std::int64_t{static_cast<std::int32_t>(value)});
  return push(builder_.scalar(Kind::integer, value, offset_));
}
template Result<void> Machine::int_binary<1>();
template Result<void> Machine::int_binary<2>();
template Result<void> Machine::int_binary<4>();

template <unsigned Width>
Result<void> Machine::long_binary() {
  SAMEBITS_TRY(const std::uint64_t size, size_of_width(Width));
  if (size > 0x7fffffff) return fail(bad(std::string(opcode_->name) + " has a negative size"));
  if (size > kLimits.pickle_integer_bytes) {
    Error error{ErrorCode::limit, "the pickle has a too long integer", reader_.file(), offset_};
    error.expected = "at most " + std::to_string(kLimits.pickle_integer_bytes) + " bytes";
    error.found = std::to_string(size);
    return fail(std::move(error));
  }
  SAMEBITS_TRY(const Bytes bytes, take(size));
  return push_integer(as_text(bytes));
}
template Result<void> Machine::long_binary<1>();
template Result<void> Machine::long_binary<4>();

Result<void> Machine::float_binary() {
  SAMEBITS_TRY(const Bytes bytes, take(8));
  const std::uint64_t bits = __builtin_bswap64(load_u64le(bytes.data()));
  return push(builder_.scalar(Kind::real, bits, offset_));
}

template <unsigned Width>
Result<void> Machine::string_binary() {
  SAMEBITS_TRY(const std::uint64_t size, size_of_width(Width));
  if (size > 0x7fffffff) return fail(bad(std::string(opcode_->name) + " has a negative size"));
  SAMEBITS_TRY(const Bytes bytes, take(size));
  return push_text(kind_of_string(as_text(bytes)), as_text(bytes));
}
template Result<void> Machine::string_binary<1>();
template Result<void> Machine::string_binary<4>();

template <Kind K, unsigned Width>
Result<void> Machine::counted() {
  SAMEBITS_TRY(const std::uint64_t size, size_of_width(Width));
  SAMEBITS_TRY(const Bytes bytes, take(size));
  return push_text(K, as_text(bytes));
}
template Result<void> Machine::counted<Kind::text, 1>();
template Result<void> Machine::counted<Kind::text, 4>();
template Result<void> Machine::counted<Kind::text, 8>();
template Result<void> Machine::counted<Kind::bytes, 1>();
template Result<void> Machine::counted<Kind::bytes, 4>();
template Result<void> Machine::counted<Kind::bytes, 8>();

template <unsigned Width>
Result<void> Machine::extension() {
  SAMEBITS_TRY(const std::uint64_t code, size_of_width(Width));
  if (code == 0 || code > 0x7fffffff)
    return fail(bad(std::string(opcode_->name) + " has a code that is not positive"));
  return push(builder_.scalar(Kind::extension, code, offset_));
}
template Result<void> Machine::extension<1>();
template Result<void> Machine::extension<2>();
template Result<void> Machine::extension<4>();

Result<void> Machine::next_buffer() { return push(builder_.scalar(Kind::buffer, 0, offset_)); }

/// Changes no value, only who may write to it.
Result<void> Machine::readonly_buffer() {
  SAMEBITS_TRY(const NodeId node, top());
  const Kind kind = builder_.kind(node);
  if (kind != Kind::bytes && !is_opaque(kind))
    return fail(bad("READONLY_BUFFER is applied to what is no buffer"));
  return {};
}

}  // namespace samebits::pickle
