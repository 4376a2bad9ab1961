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
#include <string_view>
#include <utility>
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
  std::uint32_t attributes = 0;       // external, as the central directory says
  std::uint64_t central_offset = 0;   // its header in the directory, absolute in the file
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

  /// Reads the central directory and every local header it names, and no record's data. Fatal: no
  /// end record (malformed), a directory or an entry outside the file (malformed, truncated),
  /// entries that overlap (inconsistent), an unknown method (unsupported), several volumes
  /// (unsupported), too many entries (limit).
  /// Notes: local header or data descriptor differs from the central directory (name, sizes,
  /// method, flags, CRC-32), duplicate names, names that differ only in case, flag bits 0x1, 0x20,
  /// 0x40, 0x2000, a stored record of two sizes, junk before the first entry or after the end,
  /// absolute or ".." names, a comment, several end records or places of the directory.
  static Result<ZipArchive> open(Bytes file, std::string path);

  const std::vector<ZipEntry>& entries() const { return entries_; }
  const std::vector<ContainerNote>& notes() const { return notes_; }
  /// The entry that torch takes for that name, or nullptr. torch's reader (miniz 3) sorts the
  /// directory by names without the case of ASCII letters, and takes the first that its binary
  /// search meets: of records with one name neither the first nor the last, but always the same.
  const ZipEntry* find(std::string_view name) const;
  const std::string& path() const { return path_; }
  std::uint64_t end_record() const { return end_record_; }      // absolute in the file
  std::uint64_t directory_begin() const { return directory_; }  // absolute in the file
  Bytes file() const { return file_; }

  // `entry` below is one of entries(). The data of an entry with flag bits 0x1, 0x20, 0x40 or
  // 0x2000 is offered only if, taken as plain, it has the declared CRC-32 (then the flag lies);
  // otherwise the error is unsupported. Without these bits the CRC-32 is not looked at: see
  // actual_crc32.

  /// The bytes of a stored entry, borrowed. Errors: unsupported where it is deflated or encrypted,
  /// inconsistent where its two sizes differ.
  Result<Bytes> stored(const ZipEntry& entry) const;
  /// The uncompressed bytes: borrowed where stored, else inflated into `buffer`. Errors: those of
  /// stored(), and for a deflated entry limit (kLimits), inconsistent (it gives more or fewer bytes
  /// than declared), malformed, truncated.
  Result<Bytes> read(const ZipEntry& entry, std::vector<std::uint8_t>& buffer) const;
  /// CRC-32 of what read() gives, to hold against entry.crc32. Reads all of it. Errors: as read().
  Result<std::uint32_t> actual_crc32(const ZipEntry& entry) const;

  /// Where the archive's structure lies (headers, descriptors, directory, end records, padding in
  /// extra fields), as [begin, end) byte ranges in rising order that do not overlap. Together with
  /// the entries' data ranges, whatever is left of the file is referred to by nothing.
  const std::vector<std::pair<std::uint64_t, std::uint64_t>>& structure() const {
    return structure_;
  }

 private:
  Result<Bytes> plain(const ZipEntry& entry, std::vector<std::uint8_t>& buffer) const;

  Bytes file_;
  std::string path_;
  std::vector<ZipEntry> entries_;
  std::vector<ContainerNote> notes_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> structure_;
  std::vector<std::size_t> by_name_;  // indexes of entries_, in miniz' order
  std::uint64_t end_record_ = 0;
  std::uint64_t directory_ = 0;
};

}  // namespace samebits
