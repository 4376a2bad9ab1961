#include "samebits/container/zip.h"

#include <algorithm>
#include <utility>

#include <zlib.h>

#include "samebits/container/member_name.h"
#include "samebits/container/zip_end.h"
#include "samebits/container/zip_entry.h"
#include "samebits/container/zip_inflate.h"
#include "samebits/container/zip_order.h"

namespace samebits {
namespace {

using zip::Range;

Range data_range(const ZipEntry& entry) {
  return {entry.data_offset, entry.data_offset + entry.compressed_size};
}

std::uint32_t crc32_of(Bytes bytes) {
  return static_cast<std::uint32_t>(crc32_z(0, bytes.data(), bytes.size()));
}

/// Sorted; empty ranges left out.
std::vector<Range> data_ranges(const std::vector<ZipEntry>& entries) {
  std::vector<Range> ranges;
  for (const ZipEntry& entry : entries)
    if (entry.compressed_size != 0) ranges.push_back(data_range(entry));
  std::ranges::sort(ranges);
  return ranges;
}

/// For the message: which entry has its header or its data at `begin`.
std::string part_at(const std::vector<ZipEntry>& entries, std::uint64_t begin) {
  for (const ZipEntry& entry : entries)
    if (entry.header_offset == begin || entry.data_offset == begin)
      return "the record " + entry.name;
  return "the directory or a descriptor";
}

/// No byte may serve two entries: that is how a small archive inflates without end.
Result<void> check_overlap(const std::vector<ZipEntry>& entries, std::vector<Range> parts,
                           const std::vector<Range>& data, const std::string& path) {
  parts.insert(parts.end(), data.begin(), data.end());
  std::ranges::sort(parts);
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (parts[i].first >= parts[i - 1].second) continue;
    const std::string one = part_at(entries, parts[i - 1].first);
    const std::string other = part_at(entries, parts[i].first);
    return fail({.code = ErrorCode::inconsistent,
                 .what = one + " overlaps " + (one == other ? "another of its kind" : other),
                 .file = path,
                 .offset = parts[i].first});
  }
  return {};
}

void note_entry(const ZipEntry& entry, std::vector<ContainerNote>& notes) {
  const auto note = [&](const std::string& what) {
    notes.push_back({"the record " + entry.name + " " + what, entry.header_offset});
  };
  if ((entry.flags & zip::kNotPlain) != 0)
    note("is flagged as encrypted or patched (flags " + std::to_string(entry.flags) +
         "): torch refuses it, other readers may not");
  else if (entry.method == zip::kStored && entry.compressed_size != entry.size)
    note("is stored in " + std::to_string(entry.compressed_size) + " bytes, but declares " +
         std::to_string(entry.size));
  if (const char* risk = member_name_risk(entry.name)) note(std::string("has a name that ") + risk);
}

/// Which records stand under one name, or under names that differ only in case: torch's reader
/// finds a record whatever the case of its letters (ASCII), others do not.
void note_duplicates(const std::vector<ZipEntry>& entries, std::vector<std::size_t> order,
                     std::vector<ContainerNote>& notes) {
  const auto compare = [&](std::size_t a, std::size_t b) {
    return zip::compare_names(entries[a].name, entries[b].name);
  };
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    const int difference = compare(a, b);
    return difference != 0 ? difference < 0 : a < b;
  });
  for (std::size_t i = 1; i < order.size(); ++i) {
    const ZipEntry& one = entries[order[i - 1]];
    const ZipEntry& other = entries[order[i]];
    if (one.name == other.name)
      notes.push_back({"there is more than one record " + other.name, other.header_offset});
    else if (compare(order[i - 1], order[i]) == 0)
      notes.push_back({"the records " + one.name + " and " + other.name +
                           " differ only in case, and torch takes either for the other",
                       other.header_offset});
  }
}

/// An end record outside of every record's data: another reader may start from that one.
void note_other_ends(const std::vector<std::uint64_t>& ends, const std::vector<Range>& data,
                     std::vector<ContainerNote>& notes) {
  for (const std::uint64_t end : ends) {
    const auto after = std::ranges::upper_bound(data, end, {}, &Range::first);
    if (after != data.begin() && end < std::prev(after)->second) continue;
    notes.push_back({"there is more than one end-of-central-directory record", end});
    return;
  }
}

void note_junk(std::uint64_t first, std::vector<ContainerNote>& notes) {
  if (first != 0) notes.push_back({std::to_string(first) + " bytes stand before the archive", 0});
}

}  // namespace

bool ZipArchive::looks_like(Bytes file) {
  return as_text(file.first(std::min<std::size_t>(file.size(), 4))) == "PK\3\4" ||
         zip::ends_with_end_record(file);
}

Result<ZipArchive> ZipArchive::open(Bytes file, std::string path) {
  ZipArchive archive;
  archive.file_ = file;
  archive.path_ = std::move(path);
  SAMEBITS_TRY(zip::Directory directory, zip::locate_directory(file, archive.path_));
  SAMEBITS_TRY(archive.entries_, zip::read_central_directory(file, archive.path_, directory));
  archive.end_record_ = directory.end_record;
  archive.directory_ = directory.begin;
  archive.structure_ = std::move(directory.structure);
  archive.notes_ = std::move(directory.notes);
  for (ZipEntry& entry : archive.entries_) {
    SAMEBITS_TRY_VOID(
        zip::read_local_header(file, archive.path_, entry, archive.structure_, archive.notes_));
    note_entry(entry, archive.notes_);
  }
  std::erase_if(archive.structure_, [](const Range& range) { return range.first == range.second; });
  std::ranges::sort(archive.structure_);
  const std::vector<Range> data = data_ranges(archive.entries_);
  SAMEBITS_TRY_VOID(check_overlap(archive.entries_, archive.structure_, data, archive.path_));
  archive.by_name_ = zip::miniz_order(archive.entries_);
  note_duplicates(archive.entries_, archive.by_name_, archive.notes_);
  note_other_ends(directory.other_ends, data, archive.notes_);
  note_junk(archive.structure_.front().first, archive.notes_);
  return archive;
}

const ZipEntry* ZipArchive::find(std::string_view name) const {
  return zip::miniz_find(entries_, by_name_, name);
}

Result<Bytes> ZipArchive::stored(const ZipEntry& entry) const {
  if (entry.method == zip::kStored) {
    std::vector<std::uint8_t> unused;
    return read(entry, unused);
  }
  return fail({.code = ErrorCode::unsupported,
               .what = "the record " + entry.name + " is deflated, and cannot be read in place",
               .file = path_,
               .offset = entry.header_offset});
}

Result<Bytes> ZipArchive::read(const ZipEntry& entry, std::vector<std::uint8_t>& buffer) const {
  Result<Bytes> bytes = plain(entry, buffer);
  if ((entry.flags & zip::kNotPlain) == 0) return bytes;
  if (bytes && crc32_of(*bytes) == entry.crc32) return bytes;
  return fail({.code = ErrorCode::unsupported,
               .what = "the record " + entry.name + " is encrypted or patched",
               .file = path_,
               .offset = entry.header_offset,
               .hint = "Decrypt the archive first"});
}

Result<Bytes> ZipArchive::plain(const ZipEntry& entry, std::vector<std::uint8_t>& buffer) const {
  const auto [begin, end] = data_range(entry);
  SAMEBITS_CHECK(begin <= end && end <= file_.size());
  const Bytes data = file_.subspan(begin, end - begin);
  if (entry.method == zip::kDeflated) {
    SAMEBITS_TRY_VOID(zip::inflate_entry(entry, data, path_, buffer));
    return Bytes(buffer);
  }
  if (data.size() == entry.size) return data;
  return fail(
      {.code = ErrorCode::inconsistent,
       .what = "the record " + entry.name + " is stored in more or fewer bytes than declared",
       .file = path_,
       .offset = entry.header_offset,
       .expected = std::to_string(entry.size),
       .found = std::to_string(data.size())});
}

Result<std::uint32_t> ZipArchive::actual_crc32(const ZipEntry& entry) const {
  std::vector<std::uint8_t> buffer;
  SAMEBITS_TRY(const Bytes bytes, read(entry, buffer));
  return crc32_of(bytes);
}

}  // namespace samebits
