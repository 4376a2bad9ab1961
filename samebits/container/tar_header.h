// One 512-byte header of a tar archive, and the records of a pax extended header.
//
// Source: POSIX.1-2017 pax(1), "ustar Interchange Format" and "pax Extended Header"; GNU tar's
// base-256 numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"

namespace samebits::tar {

inline constexpr std::uint64_t kBlock = 512;

struct Header {
  std::string name;  // with the ustar prefix
  std::uint64_t size = 0;
  char type = '0';
};

/// What extended headers say about the next member.
struct Extension {
  std::optional<std::string> name;
  std::optional<std::uint64_t> size;
  bool sparse = false;
};

/// True where the block's checksum holds. An empty block never does.
bool checksum_holds(Bytes block);
bool is_zero(Bytes block);
bool has_magic(Bytes block);

/// `block` is at byte `offset` of the file. Errors: malformed (checksum, size).
Result<Header> parse_header(Bytes block, const std::string& path, std::uint64_t offset);

/// The records "length key=value\\n" of an extended header. Errors: malformed.
Result<void> parse_pax(Bytes records, const std::string& path, std::uint64_t offset,
                       Extension& extension);

}  // namespace samebits::tar
