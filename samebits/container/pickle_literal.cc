#include "samebits/container/pickle_literal.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <vector>

#include "samebits/base/limits.h"

namespace samebits::pickle {
namespace {

constexpr std::size_t kDecimalDigits = 4300;  // sys.int_info.default_max_str_digits

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// The value of a digit of any base up to 36; 99 for what is none.
unsigned digit_value(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'z') return static_cast<unsigned>(c - 'a') + 10;
  if (c >= 'A' && c <= 'Z') return static_cast<unsigned>(c - 'A') + 10;
  return 99;
}

std::string_view until_nul(std::string_view text) { return text.substr(0, text.find('\0')); }

std::string_view strip(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

bool take_sign(std::string_view& text) {
  if (text.empty() || (text.front() != '-' && text.front() != '+')) return false;
  const bool negative = text.front() == '-';
  text.remove_prefix(1);
  return negative;
}

/// magnitude = magnitude * factor + addend, in limbs of 32 bits, least significant first.
void multiply_add(std::vector<std::uint32_t>& magnitude, std::uint64_t factor,
                  std::uint64_t addend) {
  std::uint64_t carry = addend;
  for (std::uint32_t& limb : magnitude) {
    carry += limb * factor;
    limb = static_cast<std::uint32_t>(carry);
    carry >>= 32;
  }
  if (carry != 0) magnitude.push_back(static_cast<std::uint32_t>(carry));
}

/// `digits` are valid in the base. Work is quadratic in at most 4300 decimal digits.
std::vector<std::uint32_t> from_decimal(std::string_view digits) {
  std::vector<std::uint32_t> magnitude;
  while (!digits.empty()) {
    const std::size_t count = std::min<std::size_t>(digits.size(), 9);
    std::uint64_t factor = 1, chunk = 0;
    for (const char c : digits.substr(0, count)) {
      chunk = chunk * 10 + digit_value(c);
      factor *= 10;
    }
    multiply_add(magnitude, factor, chunk);
    digits.remove_prefix(count);
  }
  return magnitude;
}

/// The same for 1, 3 or 4 bits a digit, in linear time.
std::vector<std::uint32_t> from_bits(std::string_view digits, unsigned bits) {
  std::vector<std::uint32_t> magnitude(digits.size() * bits / 32 + 1);
  std::size_t position = 0;
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit)
    for (unsigned bit = 0; bit < bits; ++bit, ++position)
      magnitude[position / 32] |= ((digit_value(*digit) >> bit) & 1u) << (position % 32);
  return magnitude;
}

Integer to_integer(const std::vector<std::uint32_t>& magnitude, bool negative) {
  std::string bytes;
  unsigned carry = 1;
  for (std::size_t i = 0; i <= magnitude.size() * 4; ++i) {
    unsigned byte = i == magnitude.size() * 4 ? 0 : (magnitude[i / 4] >> (8 * (i % 4))) & 0xff;
    if (negative) {
      byte = (~byte & 0xff) + carry;
      carry = byte >> 8;
    }
    bytes.push_back(static_cast<char>(byte & 0xff));
  }
  const std::string_view trimmed = trim_twos_complement(bytes);
  if (trimmed.size() <= 8) return {.small = load_twos_complement(trimmed)};
  return {.big = std::string(trimmed)};
}

/// Reads 0x, 0o or 0b off `text` for base 0. Gives bits per digit, 0 for decimal.
unsigned take_prefix(std::string_view& text) {
  if (text.size() < 2 || text[0] != '0') return 0;
  const char c = static_cast<char>(text[1] | 0x20);
  const unsigned bits = c == 'x' ? 4 : c == 'o' ? 3 : c == 'b' ? 1 : 0;
  if (bits == 0) return 0;
  text.remove_prefix(2);
  if (text.starts_with('_')) text.remove_prefix(1);
  return bits;
}

/// The digits without single underscores between them; nothing where they are not all digits.
std::optional<std::string> digits_only(std::string_view text, unsigned base) {
  if (text.empty() || text.front() == '_' || text.back() == '_') return std::nullopt;
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '_' && text[i - 1] != '_') continue;
    if (digit_value(text[i]) >= base) return std::nullopt;
    digits.push_back(text[i]);
  }
  return digits;
}

bool all_zero(std::string_view digits) {
  return digits.find_first_not_of('0') == std::string_view::npos;
}

/// How many digits a valid decimal number, not zero, has before its point when written without an
/// exponent; negative for zeros behind the point. Saturates at 2^32.
std::int64_t decimal_exponent(std::string_view text) {
  const std::size_t e = std::min(text.find_first_of("eE"), text.size());
  const std::string_view digits = text.substr(0, e);
  const auto point = static_cast<std::int64_t>(std::min(digits.find('.'), e));
  const auto first = static_cast<std::int64_t>(digits.find_first_of("123456789"));
  std::string_view written = text.substr(std::min(e + 1, text.size()));
  const bool negative = take_sign(written);
  std::int64_t exponent = 0;
  for (const char c : written)
    exponent = std::min<std::int64_t>(exponent * 10 + digit_value(c), 1ll << 32);
  return (negative ? -exponent : exponent) + point - first;
}

void append_utf8(std::string& out, std::uint32_t c) {
  const auto tail = [&](unsigned shift) {
    out.push_back(static_cast<char>(0x80 | ((c >> shift) & 0x3f)));
  };
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out.push_back(static_cast<char>(0xc0 | (c >> 6)));
    tail(0);
  } else if (c < 0x10000) {
    out.push_back(static_cast<char>(0xe0 | (c >> 12)));
    tail(6);
    tail(0);
  } else {
    out.push_back(static_cast<char>(0xf0 | (c >> 18)));
    tail(12);
    tail(6);
    tail(0);
  }
}

/// `count` digits at `position`; nothing where there are fewer.
std::optional<std::uint32_t> hex_at(std::string_view text, std::size_t position, unsigned count) {
  if (text.size() - position < count) return std::nullopt;
  std::uint32_t value = 0;
  for (const char c : text.substr(position, count)) {
    if (digit_value(c) >= 16) return std::nullopt;
    value = value << 4 | digit_value(c);
  }
  return value;
}

/// One to three octal digits at `position`, which is moved behind them.
char take_octal(std::string_view text, std::size_t& position) {
  unsigned value = 0;
  for (int i = 0; i < 3 && position < text.size() && digit_value(text[position]) < 8; ++i)
    value = value * 8 + digit_value(text[position++]);
  return static_cast<char>(value & 0xff);
}

/// 017, which C takes for octal and Python for no number, where it fits a long.
std::optional<Integer> parse_c_octal(std::string_view text) {
  const bool negative = take_sign(text);
  if (!text.starts_with('0')) return std::nullopt;
  text.remove_prefix(std::min(text.find_first_not_of('0'), text.size()));
  const bool octal = text.find_first_not_of("01234567") == std::string_view::npos;
  if (!octal || text.empty() || text.size() > 22) return std::nullopt;
  Integer value = to_integer(from_bits(text, 3), negative);
  if (!value.big.empty()) return std::nullopt;
  return value;
}

}  // namespace

std::string_view trim_twos_complement(std::string_view bytes) {
  const auto redundant = [&] {
    const bool next_negative = (bytes[bytes.size() - 2] & 0x80) != 0;
    return bytes.back() == (next_negative ? '\xff' : '\0');
  };
  while (bytes.size() > 1 && redundant()) bytes.remove_suffix(1);
  return bytes;
}

std::int64_t load_twos_complement(std::string_view bytes) {
  const bool negative = !bytes.empty() && (bytes.back() & 0x80) != 0;
  std::uint64_t value = negative ? ~0ull : 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    value &= ~(0xffull << (8 * i));
    value |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(bytes[i])) << (8 * i);
  }
  return static_cast<std::int64_t>(value);
}

std::optional<Integer> parse_integer(std::string_view text, int base) {
  text = strip(until_nul(text));
  const bool negative = take_sign(text);
  const bool leading_zero = text.starts_with('0');
  const unsigned bits = base == 0 ? take_prefix(text) : 0;
  const auto digits = digits_only(text, bits == 0 ? 10 : 1u << bits);
  if (!digits) return std::nullopt;
  if (digits->size() > (bits == 0 ? kDecimalDigits : kLimits.pickle_integer_bytes))
    return std::nullopt;
  if (base == 0 && bits == 0 && leading_zero && !all_zero(*digits)) return std::nullopt;
  return to_integer(bits == 0 ? from_decimal(*digits) : from_bits(*digits, bits), negative);
}

std::optional<IntArgument> parse_int_argument(std::string_view text) {
  const bool two_characters = text.size() == 2;
  text = until_nul(text);
  if (text.empty()) return IntArgument{{}, two_characters};
  // C's strtol reads it if no white space follows; only then it can be a boolean.
  const bool by_strtol = !is_space(text.back());
  const auto argument = [&](const Integer& value) {
    const bool bit = value.big.empty() && (value.small == 0 || value.small == 1);
    return IntArgument{value, two_characters && by_strtol && bit};
  };
  if (const auto value = parse_integer(text, 0)) return argument(*value);
  if (!by_strtol) return std::nullopt;
  const auto value = parse_c_octal(strip(text));
  return value ? std::optional(argument(*value)) : std::nullopt;
}

std::optional<double> parse_real(std::string_view text) {
  text = until_nul(text);
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  if (text.ends_with(')')) return std::nullopt;  // nan(...), which C reads and Python does not
  double value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || status == std::errc::invalid_argument)
    return std::nullopt;
  if (status == std::errc()) return value;
  const bool negative = take_sign(text);
  if (decimal_exponent(text) > 0) return std::nullopt;
  return negative ? -0.0 : 0.0;
}

std::optional<std::string> unescape_bytes(std::string_view text) {
  static constexpr std::string_view kEscapes = "\\'\"bftnrva";
  static constexpr std::string_view kMeanings = "\\'\"\b\f\t\n\r\v\a";
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '\\') {
      out.push_back(text[i++]);
      continue;
    }
    if (++i == text.size()) return std::nullopt;
    const char c = text[i];
    if (digit_value(c) < 8) {
      out.push_back(take_octal(text, i));
      continue;
    }
    ++i;
    const std::size_t simple = kEscapes.find(c);
    if (simple != kEscapes.npos) {
      out.push_back(kMeanings[simple]);
    } else if (c == 'x') {
      const auto value = hex_at(text, i, 2);
      if (!value) return std::nullopt;
      out.push_back(static_cast<char>(*value));
      i += 2;
    } else {
      out.push_back('\\');
      out.push_back(c);
    }
  }
  return out;
}

std::optional<std::string> decode_raw_unicode_escape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<std::uint8_t>(text[i++]);
    if (c != '\\' || i == text.size()) {
      append_utf8(out, c);
      continue;
    }
    const char next = text[i++];
    const unsigned count = next == 'u' ? 4 : next == 'U' ? 8 : 0;
    if (count == 0) {
      out.push_back('\\');
      append_utf8(out, static_cast<std::uint8_t>(next));
      continue;
    }
    const auto value = hex_at(text, i, count);
    if (!value || *value > 0x10ffff) return std::nullopt;
    append_utf8(out, *value);
    i += count;
  }
  return out;
}

}  // namespace samebits::pickle
