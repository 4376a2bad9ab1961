#include "samebits/base/bytes.h"

#include <cstring>

namespace samebits {
namespace {

template <class T>
T load_le(const std::uint8_t* p) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value |= static_cast<T>(static_cast<T>(p[i]) << (8 * i));
  return value;
}

}  // namespace

std::uint16_t load_u16le(const std::uint8_t* p) { return load_le<std::uint16_t>(p); }
std::uint32_t load_u32le(const std::uint8_t* p) { return load_le<std::uint32_t>(p); }
std::uint64_t load_u64le(const std::uint8_t* p) { return load_le<std::uint64_t>(p); }

Error ByteReader::error(ErrorCode code, std::string what) const {
  return {.code = code, .what = std::move(what), .file = file_, .offset = offset()};
}

Result<void> ByteReader::seek(std::uint64_t position) {
  if (position > bytes_.size()) {
    Error e = error(ErrorCode::truncated, "an offset points past the end");
    e.expected = "at most " + std::to_string(base_ + bytes_.size());
    e.found = std::to_string(base_ + position);
    return fail(std::move(e));
  }
  position_ = position;
  return {};
}

Result<Bytes> ByteReader::take(std::uint64_t count, std::string_view what) {
  if (count > remaining()) {
    Error e = error(ErrorCode::truncated, std::string(what) + " is cut off");
    e.expected = std::to_string(count) + " bytes";
    e.found = std::to_string(remaining());
    return fail(std::move(e));
  }
  const Bytes taken = bytes_.subspan(position_, count);
  position_ += count;
  return taken;
}

Result<std::uint8_t> ByteReader::u8(std::string_view what) {
  SAMEBITS_TRY(const Bytes b, take(1, what));
  return b[0];
}
Result<std::uint16_t> ByteReader::u16(std::string_view what) {
  SAMEBITS_TRY(const Bytes b, take(2, what));
  return load_u16le(b.data());
}
Result<std::uint32_t> ByteReader::u32(std::string_view what) {
  SAMEBITS_TRY(const Bytes b, take(4, what));
  return load_u32le(b.data());
}
Result<std::uint64_t> ByteReader::u64(std::string_view what) {
  SAMEBITS_TRY(const Bytes b, take(8, what));
  return load_u64le(b.data());
}

Result<std::string_view> ByteReader::line(std::string_view what) {
  const Bytes left = rest();
  const void* end = left.empty() ? nullptr : std::memchr(left.data(), '\n', left.size());
  if (end == nullptr) {
    Error e = error(ErrorCode::truncated, std::string(what) + " has no end of line");
    return fail(std::move(e));
  }
  const std::size_t length = static_cast<const std::uint8_t*>(end) - left.data();
  position_ += length + 1;
  return as_text(left.first(length));
}

}  // namespace samebits
