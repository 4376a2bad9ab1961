// Checked reading of untrusted bytes. No read ever goes past the end of the range.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "samebits/base/error.h"

namespace samebits {

/// Borrowed bytes. Whoever made the span says what must outlive it.
using Bytes = std::span<const std::uint8_t>;

inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// a + b, a * b, or nothing where the result does not fit.
inline bool checked_add(std::uint64_t a, std::uint64_t b, std::uint64_t* sum) {
  return !__builtin_add_overflow(a, b, sum);
}
inline bool checked_mul(std::uint64_t a, std::uint64_t b, std::uint64_t* product) {
  return !__builtin_mul_overflow(a, b, product);
}

/// A cursor over `bytes`, which begin at byte `base` of `file`; both only serve error messages.
/// Every read either succeeds completely or leaves the position where it was.
class ByteReader {
 public:
  ByteReader(Bytes bytes, std::string file, std::uint64_t base = 0)
      : bytes_(bytes), file_(std::move(file)), base_(base) {}

  std::uint64_t position() const { return position_; }
  std::uint64_t offset() const { return base_ + position_; }  // in the file
  std::uint64_t remaining() const { return bytes_.size() - position_; }
  const std::string& file() const { return file_; }
  Bytes rest() const { return bytes_.subspan(position_); }

  Result<void> seek(std::uint64_t position);
  /// `what` names the thing for the error: "the local header of data/3".
  Result<Bytes> take(std::uint64_t count, std::string_view what);
  Result<std::uint8_t> u8(std::string_view what);
  Result<std::uint16_t> u16(std::string_view what);  // little-endian, as all below
  Result<std::uint32_t> u32(std::string_view what);
  Result<std::uint64_t> u64(std::string_view what);
  /// Up to and without the next '\n', which is consumed.
  Result<std::string_view> line(std::string_view what);

  Error error(ErrorCode code, std::string what) const;

 private:
  Bytes bytes_;
  std::string file_;
  std::uint64_t base_ = 0;
  std::uint64_t position_ = 0;
};

std::uint16_t load_u16le(const std::uint8_t* p);
std::uint32_t load_u32le(const std::uint8_t* p);
std::uint64_t load_u64le(const std::uint8_t* p);

}  // namespace samebits
