// The literals of pickle protocol 0: numbers and strings as text, read exactly as CPython's C
// unpickler reads them.
//
// Source: CPython Modules/_pickle.c (load_int, load_long, load_float, load_string, load_unicode),
// Objects/longobject.c (PyLong_FromString), Objects/bytesobject.c (PyBytes_DecodeEscape),
// Objects/unicodeobject.c (raw-unicode-escape), Python/pystrtod.c.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace samebits::pickle {

/// Python's int: `small`, or where that does not suffice `big`, in two's complement, little-endian,
/// without redundant bytes.
struct Integer {
  std::int64_t small = 0;
  std::string big{};  // "" where small holds the value
};

/// What int(text, base) gives, for base 10, or 0 (which allows 0x, 0o and 0b). Nothing where the
/// text is no int, or longer than Python allows (4300 decimal digits) or kLimits does.
std::optional<Integer> parse_integer(std::string_view text, int base);

/// INT's argument: as above with base 0; besides, 017 is octal, and 00 and 01 (any two characters
/// that C reads as 0 or 1) are booleans; what begins with a NUL is 0.
struct IntArgument {
  Integer value;
  bool is_boolean = false;
};
std::optional<IntArgument> parse_int_argument(std::string_view text);

/// FLOAT's argument. Nothing where it is no number or overflows; underflow gives 0.
std::optional<double> parse_real(std::string_view text);

/// The inside of a quoted bytes literal without its escapes. Nothing for a bad \x or a trailing
/// backslash.
std::optional<std::string> unescape_bytes(std::string_view text);

/// raw-unicode-escape (Latin-1, \uXXXX, \UXXXXXXXX) as UTF-8, lone surrogates as three bytes.
/// Nothing for a bad escape.
std::optional<std::string> decode_raw_unicode_escape(std::string_view text);

/// Two's complement, little-endian, any length: without the bytes that only repeat the sign.
std::string_view trim_twos_complement(std::string_view bytes);
/// The same, of at most 8 bytes.
std::int64_t load_twos_complement(std::string_view bytes);

}  // namespace samebits::pickle
