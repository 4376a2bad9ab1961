// The end of a zip archive: which of the end records counts, and where it puts the central
// directory.
//
// Source: APPNOTE.TXT 6.3.10, 4.3.14 to 4.3.16. The last end record whose directory can exist is
// taken, as torch's miniz and Python's zipfile do; an offset is first read as absolute (miniz),
// then as relative to junk before the archive (zipfile).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"
#include "samebits/container/zip.h"

namespace samebits::zip {

using Range = std::pair<std::uint64_t, std::uint64_t>;  // [begin, end) of the file

struct Directory {
  std::uint64_t entries = 0;
  std::uint64_t begin = 0;  // absolute
  std::uint64_t size = 0;
  std::uint64_t end_record = 0;  // absolute
  std::uint64_t shift = 0;       // to add to every offset that the directory states
  std::vector<Range> structure;  // the directory and the end records
  std::vector<ContainerNote> notes;
  std::vector<std::uint64_t> other_ends;  // where else an end record's signature stands in the tail
};

/// True where an end record stands exactly at the end, its comment included.
bool ends_with_end_record(Bytes file);

/// Reads nothing but the last 64 KiB and the zip64 record. Errors: malformed (no end record, or one
/// that points to no directory), inconsistent, unsupported (several volumes), limit.
Result<Directory> locate_directory(Bytes file, const std::string& path);

}  // namespace samebits::zip
