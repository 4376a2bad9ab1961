#include "samebits/container/zip_end.h"

#include <algorithm>
#include <optional>

#include "samebits/base/limits.h"

namespace samebits::zip {
namespace {

constexpr std::uint32_t kDirectorySignature = 0x02014b50;
constexpr std::uint32_t kEndSignature = 0x06054b50;
constexpr std::uint32_t kLocatorSignature = 0x07064b50;
constexpr std::uint32_t kEnd64Signature = 0x06064b50;
constexpr std::uint64_t kEndBytes = 22;
constexpr std::uint64_t kLocatorBytes = 20;
constexpr std::uint64_t kEnd64Bytes = 56;
constexpr std::uint64_t kEnd64Head = 12;  // signature and size, which the size does not count
constexpr std::uint64_t kLongestComment = 0xffff;
constexpr std::uint64_t kCentralHeaderBytes = 46;

bool signature_at(Bytes file, std::uint64_t position, std::uint32_t signature) {
  return file.size() >= 4 && position <= file.size() - 4 &&
         load_u32le(file.data() + position) == signature;
}

/// Where end records may begin, last first.
std::vector<std::uint64_t> end_signatures(Bytes file) {
  std::vector<std::uint64_t> found;
  if (file.size() < kEndBytes) return found;
  const std::uint64_t last = file.size() - kEndBytes;
  const std::uint64_t first = last - std::min(last, kLongestComment);
  for (std::uint64_t at = last + 1; at-- > first;)
    if (file[at] == 'P' && signature_at(file, at, kEndSignature)) found.push_back(at);
  return found;
}

/// What an end record states, in either of its two widths.
struct EndFields {
  std::uint64_t disk = 0, directory_disk = 0, entries_here = 0, entries = 0, size = 0, offset = 0;
};

EndFields end_fields(const std::uint8_t* p) {
  return {load_u16le(p + 4),  load_u16le(p + 6),  load_u16le(p + 8),
          load_u16le(p + 10), load_u32le(p + 12), load_u32le(p + 16)};
}

EndFields end64_fields(const std::uint8_t* p) {
  return {load_u32le(p + 16), load_u32le(p + 20), load_u64le(p + 24),
          load_u64le(p + 32), load_u64le(p + 40), load_u64le(p + 48)};
}

/// True where the narrow record repeats the wide one, or defers to it by all ones.
bool defers_to(const EndFields& narrow, const EndFields& wide) {
  const auto agrees = [](std::uint64_t a, std::uint64_t b, std::uint64_t ones) {
    return a == b || a == ones;
  };
  return agrees(narrow.entries, wide.entries, 0xffff) &&
         agrees(narrow.size, wide.size, 0xffffffff) &&
         agrees(narrow.offset, wide.offset, 0xffffffff);
}

class EndReader {
 public:
  EndReader(Bytes file, const std::string& path, std::uint64_t end)
      : file_(file), path_(path), end_(end), limit_(end) {}

  Result<Directory> read() {
    fields_ = end_fields(file_.data() + end_);
    SAMEBITS_TRY_VOID(read_zip64());
    SAMEBITS_TRY_VOID(check_fields());
    SAMEBITS_TRY_VOID(place());
    note_tail();
    directory_.entries = fields_.entries;
    directory_.size = fields_.size;
    directory_.end_record = end_;
    directory_.structure.emplace_back(directory_.begin, directory_.begin + fields_.size);
    return std::move(directory_);
  }

 private:
  tl::unexpected<Error> error(ErrorCode code, std::string what, std::uint64_t offset) const {
    return fail({.code = code, .what = std::move(what), .file = path_, .offset = offset});
  }
  void note(std::string what, std::uint64_t offset) {
    directory_.notes.push_back({std::move(what), offset});
  }

  Result<void> read_zip64() {
    if (end_ < kLocatorBytes + kEnd64Bytes) return {};
    const std::uint64_t locator = end_ - kLocatorBytes;
    if (!signature_at(file_, locator, kLocatorSignature)) return {};
    SAMEBITS_TRY(const std::uint64_t at, find_end64(locator));
    const std::uint8_t* p = file_.data() + at;
    const std::uint64_t bytes = load_u64le(p + 4);
    if (bytes < kEnd64Bytes - kEnd64Head || bytes > locator - at - kEnd64Head)
      return error(ErrorCode::malformed, "the zip64 end record has an impossible size", at + 4);
    const EndFields wide = end64_fields(p);
    if (!defers_to(fields_, wide)) note("the end record contradicts the zip64 end record", end_);
    fields_ = wide;
    limit_ = at;
    directory_.structure.emplace_back(at, at + kEnd64Head + bytes);
    directory_.structure.emplace_back(locator, end_);
    return {};
  }

  /// Where the locator says, or right before the locator when junk moved everything.
  Result<std::uint64_t> find_end64(std::uint64_t locator) {
    const std::uint64_t stated = load_u64le(file_.data() + locator + 8);
    const std::uint64_t adjacent = locator - kEnd64Bytes;
    const bool at_stated = stated <= adjacent && signature_at(file_, stated, kEnd64Signature);
    const bool at_adjacent = signature_at(file_, adjacent, kEnd64Signature);
    if (!at_stated && !at_adjacent)
      return error(ErrorCode::malformed, "the zip64 locator points to no zip64 end record",
                   locator + 8);
    if (at_stated && at_adjacent && stated != adjacent)
      note("there are two zip64 end records, and readers differ in which they take", adjacent);
    return at_stated ? stated : adjacent;
  }

  Result<void> check_fields() const {
    const bool one_volume = fields_.disk == 0 && fields_.directory_disk == 0;
    if (!one_volume || fields_.entries_here != fields_.entries)
      return error(ErrorCode::unsupported, "the zip archive is one of several volumes", end_);
    if (fields_.entries > kLimits.archive_entries)
      return error(ErrorCode::limit, "the zip archive has too many entries", end_);
    if (fields_.size > limit_ || fields_.entries * kCentralHeaderBytes > fields_.size)
      return error(ErrorCode::inconsistent,
                   "the end record states a central directory of impossible size", end_);
    return {};
  }

  bool directory_at(std::uint64_t begin) const {
    return fields_.entries == 0 || signature_at(file_, begin, kDirectorySignature);
  }

  Result<void> place() {
    const std::uint64_t adjacent = limit_ - fields_.size;
    directory_.begin = adjacent;
    if (fields_.offset <= adjacent && directory_at(fields_.offset)) {
      directory_.begin = fields_.offset;
      if (fields_.offset != adjacent)
        note(
            "the central directory does not end at its end record; Python's zipfile looks for it "
            "at byte " +
                std::to_string(adjacent),
            fields_.offset);
      return {};
    }
    if (fields_.offset > adjacent || !directory_at(adjacent))
      return error(ErrorCode::malformed, "the end record points to no central directory", end_);
    directory_.shift = adjacent - fields_.offset;
    return {};
  }

  void note_tail() {
    const std::uint64_t after = file_.size() - end_ - kEndBytes;
    const std::uint64_t stated = load_u16le(file_.data() + end_ + 20);
    const std::uint64_t comment = std::min(stated, after);
    directory_.structure.emplace_back(end_, end_ + kEndBytes + comment);
    const std::uint64_t begin = end_ + kEndBytes;
    if (stated > 0)
      note("the archive has a comment of " + std::to_string(stated) + " bytes", begin);
    if (stated > after) note("the archive's comment is cut off", begin);
    if (stated < after)
      note(std::to_string(after - stated) + " bytes follow the end of the archive", begin + stated);
  }

  Bytes file_;
  const std::string& path_;
  std::uint64_t end_;
  std::uint64_t limit_;  // the directory ends here at the latest
  EndFields fields_;
  Directory directory_;
};

}  // namespace

bool ends_with_end_record(Bytes file) {
  for (const std::uint64_t at : end_signatures(file))
    if (at + kEndBytes + load_u16le(file.data() + at + 20) == file.size()) return true;
  return false;
}

Result<Directory> locate_directory(Bytes file, const std::string& path) {
  const std::vector<std::uint64_t> ends = end_signatures(file);
  std::optional<Error> first;
  for (const std::uint64_t end : ends) {
    Result<Directory> directory = EndReader(file, path, end).read();
    if (directory) {
      std::copy_if(ends.begin(), ends.end(), std::back_inserter(directory->other_ends),
                   [&](std::uint64_t other) { return other != end; });
      return directory;
    }
    if (!first) first = std::move(directory).error();
  }
  if (first) return fail(std::move(*first));
  return fail({.code = ErrorCode::malformed,
               .what = "the zip archive has no end-of-central-directory record",
               .file = path,
               .offset = file.size(),
               .hint = "The file may be cut off"});
}

}  // namespace samebits::zip
