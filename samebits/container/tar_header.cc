#include "samebits/container/tar_header.h"

#include <algorithm>
#include <charconv>

namespace samebits::tar {
namespace {

struct Field {
  std::size_t begin, size;
};
constexpr Field kName{0, 100};
constexpr Field kSize{124, 12};
constexpr Field kChecksum{148, 8};
constexpr std::size_t kType = 156;
constexpr Field kMagic{257, 6};
constexpr Field kPrefix{345, 155};

Bytes bytes_of(Bytes block, Field field) { return block.subspan(field.begin, field.size); }

/// Up to the first NUL.
std::string_view text_of(Bytes block, Field field) {
  const std::string_view text = as_text(bytes_of(block, field));
  return text.substr(0, text.find('\0'));
}

std::optional<std::uint64_t> parse_number(std::string_view digits, int base) {
  std::uint64_t value = 0;
  const auto [end, status] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (status != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

/// Octal digits between spaces, nothing at all for zero, or GNU's base 256 (top bit set; negative
/// numbers and those beyond 64 bits are refused).
std::optional<std::uint64_t> parse_field(Bytes field) {
  if ((field[0] & 0x80) != 0) {
    if (field[0] != 0x80) return std::nullopt;
    std::uint64_t value = 0;
    for (const std::uint8_t byte : field.subspan(1)) {
      if (value >> 56 != 0) return std::nullopt;
      value = value << 8 | byte;
    }
    return value;
  }
  std::string_view text = as_text(field);
  text = text.substr(0, text.find('\0'));
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  text = text.substr(0, text.find_last_not_of(' ') + 1);
  if (text.empty()) return 0;
  return parse_number(text, 8);
}

Result<void> apply_pax(std::string_view key, std::string_view value, ByteReader& reader,
                       Extension& extension) {
  if (key == "path") {
    extension.name = std::string(value);
  } else if (key == "size") {
    extension.size = parse_number(value, 10);
    if (!extension.size)
      return fail(reader.error(ErrorCode::malformed, "an extended header has a broken size"));
  } else if (key.starts_with("GNU.sparse.")) {
    extension.sparse = true;
  }
  return {};
}

}  // namespace

bool checksum_holds(Bytes block) {
  const std::optional<std::uint64_t> stated = parse_field(bytes_of(block, kChecksum));
  std::uint64_t bytes = 0;
  std::int64_t chars = 0;  // some old writers added signed characters
  for (std::size_t i = 0; i < kBlock; ++i) {
    const bool blank = i >= kChecksum.begin && i < kChecksum.begin + kChecksum.size;
    const std::uint8_t byte = blank ? std::uint8_t{' '} : block[i];
    bytes += byte;
    chars += static_cast<std::int8_t>(byte);
  }
  return stated && (*stated == bytes || static_cast<std::int64_t>(*stated) == chars);
}

bool is_zero(Bytes block) {
  return std::ranges::all_of(block, [](std::uint8_t byte) { return byte == 0; });
}

bool has_magic(Bytes block) { return as_text(bytes_of(block, kMagic)).starts_with("ustar"); }

Result<Header> parse_header(Bytes block, const std::string& path, std::uint64_t offset) {
  const auto error = [&](std::string what, std::size_t at) {
    return fail({.code = ErrorCode::malformed,
                 .what = std::move(what),
                 .file = path,
                 .offset = offset + at});
  };
  if (!checksum_holds(block)) return error("a tar header has a wrong checksum", kChecksum.begin);
  const std::optional<std::uint64_t> size = parse_field(bytes_of(block, kSize));
  if (!size) return error("a tar header has a broken size", kSize.begin);
  Header header{.name = std::string(text_of(block, kName)),
                .size = *size,
                .type = static_cast<char>(block[kType])};
  // GNU's magic is "ustar " and its prefix field holds something else.
  if (as_text(bytes_of(block, kMagic)) == std::string_view("ustar\0", 6)) {
    const std::string_view prefix = text_of(block, kPrefix);
    if (!prefix.empty()) header.name = std::string(prefix) + "/" + header.name;
  }
  if (header.type == '\0' || header.type == '7')
    header.type = header.name.ends_with('/') ? '5' : '0';
  return header;
}

Result<void> parse_pax(Bytes records, const std::string& path, std::uint64_t offset,
                       Extension& extension) {
  ByteReader reader(records, path, offset);
  const auto malformed = [&] {
    return fail(reader.error(ErrorCode::malformed, "an extended header has a broken record"));
  };
  while (reader.remaining() > 0 && reader.rest()[0] != 0) {
    const std::string_view rest = as_text(reader.rest());
    const std::string_view digits = rest.substr(0, rest.substr(0, 20).find(' '));
    const std::optional<std::uint64_t> length =
        digits.size() < rest.size() ? parse_number(digits, 10) : std::nullopt;
    if (!length || *length > rest.size() || *length < digits.size() + 2) return malformed();
    const std::string_view record = rest.substr(0, *length);
    const std::string_view body =
        record.substr(digits.size() + 1, record.size() - digits.size() - 2);
    const std::size_t equals = body.find('=');
    if (record.back() != '\n' || equals == std::string_view::npos) return malformed();
    SAMEBITS_TRY_VOID(
        apply_pax(body.substr(0, equals), body.substr(equals + 1), reader, extension));
    SAMEBITS_TRY_VOID(reader.take(*length, "an extended header"));
  }
  return {};
}

}  // namespace samebits::tar
