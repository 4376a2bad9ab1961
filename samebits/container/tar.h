// The members of a tar archive (ustar, pax and GNU long names), read in place.
//
// Source: POSIX.1-2017 pax(1), "ustar Interchange Format". Does not do: sparse members, extraction.
#pragma once

#include <string>
#include <vector>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"
#include "samebits/container/zip.h"

namespace samebits {

struct TarMember {
  std::string name;
  char type = '0';           // '0' regular, '2' symbolic link, '5' directory, ...
  std::uint64_t offset = 0;  // first data byte, absolute
  std::uint64_t size = 0;
  std::uint64_t header = 0;  // absolute
};

struct TarArchive {
  std::vector<TarMember> members;
  std::vector<ContainerNote>
      notes;  // bad checksums are errors; absolute or ".." names and links are notes

  /// True where a "ustar" magic, or a valid header checksum, stands in the first block.
  static bool looks_like(Bytes file);
  /// Errors: truncated, malformed (checksum, numbers), limit.
  static Result<TarArchive> open(Bytes file, const std::string& path);
  const TarMember* find(std::string_view name) const;
};

}  // namespace samebits
