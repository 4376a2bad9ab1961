// The members of a tar archive (ustar, pax and GNU long names), read in place.
//
// Source: POSIX.1-2017 pax(1), "ustar Interchange Format". Does not do: sparse members, extraction.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"
#include "samebits/container/zip.h"

namespace samebits {

struct TarMember {
  std::string name;
  char type = '0';           // '0' regular, '2' symbolic link, '5' directory, ...
  std::uint64_t offset = 0;  // first data byte, absolute
  std::uint64_t size = 0;    // 0 for links, directories, devices
  std::uint64_t header = 0;  // absolute
};

/// Owns what it holds; a member's data is [offset, offset + size) of the file.
struct TarArchive {
  std::vector<TarMember> members;
  /// Names that are absolute or lead out by "..", links and devices, duplicate names, global
  /// extended headers that no reader agrees about, a missing end mark, bytes after it. A bad
  /// checksum is an error.
  std::vector<ContainerNote> notes;

  /// True where a "ustar" magic, or a valid header checksum, stands in the first block.
  static bool looks_like(Bytes file);
  /// Touches headers only. Errors: truncated, malformed (checksum, numbers, extended headers),
  /// unsupported (sparse members), limit (kLimits.archive_entries).
  static Result<TarArchive> open(Bytes file, const std::string& path);
  /// The last member of that name, as Python's tarfile (and so torch's reader of 2016) takes it, or
  /// nullptr. Linear in the members.
  const TarMember* find(std::string_view name) const;
};

}  // namespace samebits
