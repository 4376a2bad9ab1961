// For tests only: zip archives built byte by byte, so that any part of them can lie.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <zlib.h>

#include "samebits/base/bytes.h"

namespace samebits::zip_builder {

template <class T>
std::string le(T value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    bytes += static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i) & 0xff);
  return bytes;
}
inline std::string le16(std::uint64_t value) { return le(static_cast<std::uint16_t>(value)); }
inline std::string le32(std::uint64_t value) { return le(static_cast<std::uint32_t>(value)); }
inline std::string le64(std::uint64_t value) { return le(value); }

inline Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

inline std::uint32_t crc_of(const std::string& data) {
  return static_cast<std::uint32_t>(crc32_z(0, bytes_of(data).data(), data.size()));
}

/// Raw deflate.
inline std::string deflated(const std::string& data) {
  std::string out(data.size() + 1000, '\0');
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY);
  stream.next_in = const_cast<Bytef*>(bytes_of(data).data());
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// The fields of one of an entry's two headers.
struct Header {
  std::string name;
  std::uint16_t flags = 0, method = 0;
  std::uint32_t crc = 0, compressed_size = 0, size = 0, offset = 0;
  std::string extra;
  std::uint16_t disk = 0;
};

struct Record {
  Header local, central;
  std::string data;        // as it stands in the file
  std::string descriptor;  // what follows the data
};

inline Record stored(const std::string& name, const std::string& data) {
  const auto size = static_cast<std::uint32_t>(data.size());
  const Header header{.name = name, .crc = crc_of(data), .compressed_size = size, .size = size};
  return {.local = header, .central = header, .data = data};
}

inline Record deflated(const std::string& name, const std::string& data) {
  Record record = stored(name, deflated(data));
  for (Header* header : {&record.local, &record.central}) {
    header->method = 8;
    header->crc = crc_of(data);
    header->size = static_cast<std::uint32_t>(data.size());
  }
  return record;
}

inline std::string middle(const Header& h) {
  return le16(h.flags) + le16(h.method) + le32(0) + le32(h.crc) + le32(h.compressed_size) +
         le32(h.size) + le16(h.name.size()) + le16(h.extra.size());
}
inline std::string local_header(const Header& h) {
  return "PK\3\4" + le16(20) + middle(h) + h.name + h.extra;
}
inline std::string central_header(const Header& h) {
  return "PK\1\2" + le16(20) + le16(20) + middle(h) + le16(0) + le16(h.disk) + le16(0) + le32(0) +
         le32(h.offset) + h.name + h.extra;
}

struct End {
  std::uint64_t disk = 0, entries_here = 0, entries = 0, size = 0, offset = 0;
};
inline std::string end_record(const End& e, const std::string& comment = "") {
  return "PK\5\6" + le16(e.disk) + le16(e.disk) + le16(e.entries_here) + le16(e.entries) +
         le32(e.size) + le32(e.offset) + le16(comment.size()) + comment;
}
/// The zip64 end record and its locator, which says that the record is at byte `at`.
inline std::string end64_records(const End& e, std::uint64_t at) {
  return "PK\6\6" + le64(44) + le16(45) + le16(45) + le32(e.disk) + le32(e.disk) +
         le64(e.entries_here) + le64(e.entries) + le64(e.size) + le64(e.offset) + "PK\6\7" +
         le32(0) + le64(at) + le32(1);
}

/// The parts of an archive; `whole()` joins them.
struct Archive {
  std::string prefix;  // not counted in any offset
  std::string body, directory;
  End end;
  std::string comment;

  std::string whole() const { return prefix + body + directory + end_record(end, comment); }
};

/// Sets each record's offset where it is zero, and the end record.
inline Archive archive(const std::vector<Record>& records) {
  Archive made;
  for (const Record& record : records) {
    Header central = record.central;
    if (central.offset == 0) central.offset = static_cast<std::uint32_t>(made.body.size());
    made.body += local_header(record.local) + record.data + record.descriptor;
    made.directory += central_header(central);
  }
  made.end = {0, records.size(), records.size(), made.directory.size(), made.body.size()};
  return made;
}

}  // namespace samebits::zip_builder
