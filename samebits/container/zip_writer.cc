#include "samebits/container/zip_writer.h"

#include <zlib.h>

#include <algorithm>

#include "samebits/container/little_endian.h"

namespace samebits {
namespace {

constexpr std::uint64_t kMost32 = 0xffffffff;
constexpr std::uint64_t kMost16 = 0xffff;
constexpr std::uint64_t kLocalHeader = 30;
constexpr std::uint32_t kFirstDay = 0x00210000;  // 1980-01-01, midnight
constexpr std::uint64_t kUtf8Names = 0x0800;

std::string limited(std::uint64_t value) { return little_endian<4>(std::min(value, kMost32)); }

/// Version that is needed, flags, method, time, checksum.
std::string common_fields(bool wide, std::uint32_t crc) {
  return little_endian<2>(wide ? 45 : 20) + little_endian<2>(kUtf8Names) + little_endian<2>(0) +
         little_endian<4>(kFirstDay) + little_endian<4>(crc);
}

/// torch's own field of nothing, which moves the data to where it belongs.
std::string padding(std::uint64_t begin, std::uint64_t alignment) {
  constexpr std::uint64_t kFieldHeader = 4;
  const std::uint64_t past = (begin + kFieldHeader) % alignment;
  const std::uint64_t fill = past == 0 ? 0 : alignment - past;
  return "FB" + little_endian<2>(fill) + std::string(fill, 'Z');
}

}  // namespace

Result<void> ZipWriter::put(const std::string& bytes) {
  at_ += bytes.size();
  return sink_(bytes_of_text(bytes));
}

Result<void> ZipWriter::add(const std::string& name, const Blob& blob, std::uint64_t alignment) {
  std::uint32_t crc = 0;
  std::uint64_t size = 0;
  SAMEBITS_TRY_VOID(blob.feed([&](Bytes bytes) -> Result<void> {
    // Of no bytes at no place zlib gives the checksum of the beginning.
    if (!bytes.empty()) crc = static_cast<std::uint32_t>(crc32_z(crc, bytes.data(), bytes.size()));
    size += bytes.size();
    return {};
  }));
  SAMEBITS_CHECK(size == blob.size && name.size() < kMost16);
  const bool wide = size >= kMost32;
  std::string extra;
  if (wide)
    extra = little_endian<2>(1) + little_endian<2>(16) + little_endian<8>(size) +
            little_endian<8>(size);
  if (alignment > 1) extra += padding(at_ + kLocalHeader + name.size() + extra.size(), alignment);
  entries_.push_back({name, crc, size, at_});
  SAMEBITS_TRY_VOID(put("PK\3\4" + common_fields(wide, crc) + limited(size) + limited(size) +
                        little_endian<2>(name.size()) + little_endian<2>(extra.size()) + name +
                        extra));
  at_ += size;
  return blob.feed(sink_);
}

Result<void> ZipWriter::add(const std::string& name, const std::string& bytes,
                            std::uint64_t alignment) {
  const Blob blob{bytes.size(), [&](const ByteSink& sink) { return sink(bytes_of_text(bytes)); }};
  return add(name, blob, alignment);
}

Result<void> ZipWriter::finish() {
  const std::uint64_t begin = at_;
  for (const Entry& entry : entries_) {
    const bool wide = entry.size >= kMost32 || entry.offset >= kMost32;
    std::string extra;
    if (entry.size >= kMost32) extra += little_endian<8>(entry.size) + little_endian<8>(entry.size);
    if (entry.offset >= kMost32) extra += little_endian<8>(entry.offset);
    if (wide) extra = little_endian<2>(1) + little_endian<2>(extra.size()) + extra;
    SAMEBITS_TRY_VOID(put(
        "PK\1\2" + little_endian<2>(wide ? 45 : 20) + common_fields(wide, entry.crc) +
        limited(entry.size) + limited(entry.size) + little_endian<2>(entry.name.size()) +
        little_endian<2>(extra.size()) + little_endian<2>(0) + little_endian<2>(0) +
        little_endian<2>(0) + little_endian<4>(0) + limited(entry.offset) + entry.name + extra));
  }
  const std::uint64_t size = at_ - begin, count = entries_.size(), end = at_;
  if (count >= kMost16 || size >= kMost32 || begin >= kMost32) {
    SAMEBITS_TRY_VOID(put("PK\6\6" + little_endian<8>(44) + little_endian<2>(45) +
                          little_endian<2>(45) + little_endian<4>(0) + little_endian<4>(0) +
                          little_endian<8>(count) + little_endian<8>(count) +
                          little_endian<8>(size) + little_endian<8>(begin)));
    SAMEBITS_TRY_VOID(
        put("PK\6\7" + little_endian<4>(0) + little_endian<8>(end) + little_endian<4>(1)));
  }
  const std::string counted = little_endian<2>(std::min(count, kMost16));
  return put("PK\5\6" + little_endian<2>(0) + little_endian<2>(0) + counted + counted +
             limited(size) + limited(begin) + little_endian<2>(0));
}

}  // namespace samebits
