// The directory of a zip archive, read in place: names, places, sizes. Nothing is copied or
// trusted.
//
// Source: APPNOTE.TXT 6.3.10; the writer that matters is torch's
// (caffe2/serialize/inline_container.cc with miniz): stored records, data aligned to 64 bytes by an
// extra field "FB", zip64 above 4 GiB. Does not do: encryption, multi-volume archives, methods
// other than stored (0) and deflate (8).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"

namespace samebits {

struct ZipEntry {
  std::string name;                   // as the central directory says
  std::uint16_t method = 0;           // 0 stored, 8 deflated
  std::uint16_t flags = 0;            // general purpose bits, central directory
  std::uint32_t crc32 = 0;            // of the uncompressed bytes, as declared
  std::uint64_t size = 0;             // uncompressed, as declared
  std::uint64_t compressed_size = 0;  // bytes in the file
  std::uint64_t header_offset = 0;    // local header, absolute in the file
  std::uint64_t data_offset = 0;      // first data byte, absolute in the file
};

/// Something that readers may disagree about, or that a loader ignores. Never fatal by itself.
struct ContainerNote {
  std::string what;  // "the local header of data/0 says name data/1"
  std::uint64_t offset = 0;
};

/// Borrows the file's bytes.
class ZipArchive {
 public:
  /// True where `file` starts with a local header or ends with an end-of-central-directory record.
  /// A guess only.
  static bool looks_like(Bytes file);

  /// Reads the central directory and every local header it names. Fatal: no end record, a directory
  /// or an entry outside the file, entries that overlap, an unknown method, too many entries.
  /// Notes: local header differs from the central directory (name, sizes, method), duplicate names,
  /// flag bits 0x1, 0x20, 0x40 that contradict the data, junk before the first entry, absolute or
  /// ".." names, a comment, several end records.
  static Result<ZipArchive> open(Bytes file, std::string path);

  const std::vector<ZipEntry>& entries() const { return entries_; }
  const std::vector<ContainerNote>& notes() const { return notes_; }
  /// The first entry of that name in the central directory, or nullptr.
  const ZipEntry* find(std::string_view name) const;
  const std::string& path() const { return path_; }
  Bytes file() const { return file_; }

  /// The bytes of a stored entry, borrowed. Errors: unsupported where it is deflated or encrypted.
  Result<Bytes> stored(const ZipEntry& entry) const;
  /// The uncompressed bytes: borrowed where stored, else inflated into `buffer` under kLimits.
  Result<Bytes> read(const ZipEntry& entry, std::vector<std::uint8_t>& buffer) const;
  /// CRC-32 of the stored bytes as they are, to hold against entry.crc32. Reads all of them.
  Result<std::uint32_t> actual_crc32(const ZipEntry& entry) const;

  /// Where the archive's structure lies (headers, directory, end records, padding in extra fields),
  /// as [begin, end) byte ranges. Together with the entries' data ranges, whatever is left of the
  /// file is referred to by nothing.
  const std::vector<std::pair<std::uint64_t, std::uint64_t>>& structure() const {
    return structure_;
  }

 private:
  Bytes file_;
  std::string path_;
  std::vector<ZipEntry> entries_;
  std::vector<ContainerNote> notes_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> structure_;
  std::vector<std::size_t> by_name_;  // indexes of entries_, sorted by name, then by place
};

}  // namespace samebits
