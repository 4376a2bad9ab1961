#include "samebits/container/zip_entry.h"

#include <array>
#include <cstring>
#include <optional>

namespace samebits::zip {
namespace {

constexpr std::uint32_t kCentralSignature = 0x02014b50;
constexpr std::uint32_t kLocalSignature = 0x04034b50;
constexpr std::uint32_t kDescriptorSignature = 0x08074b50;
constexpr std::uint64_t kCentralBytes = 46;
constexpr std::uint64_t kLocalBytes = 30;
constexpr std::uint16_t kHasDescriptor = 0x8;
constexpr std::uint16_t kZip64Field = 0x0001;
constexpr std::uint64_t kDeferred32 = 0xffffffff;
constexpr std::uint64_t kDeferred16 = 0xffff;

/// The body of the zip64 extra field; nullopt where `extra` has none. Errors: malformed where a
/// field overruns, or where there are two of them (readers differ in which they take).
Result<std::optional<Bytes>> zip64_field(Bytes extra, const std::string& path, std::uint64_t base) {
  ByteReader reader(extra, path, base);
  std::optional<Bytes> found;
  while (reader.remaining() >= 4) {
    SAMEBITS_TRY(const std::uint16_t id, reader.u16("an extra field"));
    SAMEBITS_TRY(const std::uint16_t size, reader.u16("an extra field"));
    if (size > reader.remaining())
      return fail(reader.error(ErrorCode::malformed, "an extra field is longer than its room"));
    SAMEBITS_TRY(const Bytes body, reader.take(size, "an extra field"));
    if (id != kZip64Field) continue;
    if (found) return fail(reader.error(ErrorCode::malformed, "there are two zip64 extra fields"));
    found = body;
  }
  return found;
}

/// Replaces, in the order of the format, every value that defers to the zip64 extra field. Without
/// such a field the values stand as they are.
Result<void> widen(std::span<std::uint64_t* const> values, Bytes extra, const std::string& path,
                   std::uint64_t base) {
  bool deferred = false;
  for (const std::uint64_t* value : values) deferred |= *value == kDeferred32;
  if (!deferred) return {};
  SAMEBITS_TRY(const std::optional<Bytes> field, zip64_field(extra, path, base));
  if (!field) return {};
  ByteReader reader(*field, path, base + static_cast<std::uint64_t>(field->data() - extra.data()));
  for (std::uint64_t* value : values) {
    if (*value != kDeferred32) continue;
    if (reader.remaining() < 8)
      return fail(reader.error(ErrorCode::malformed, "the zip64 extra field lacks a value"));
    SAMEBITS_TRY(*value, reader.u64("the zip64 extra field"));
  }
  return {};
}

Result<ZipEntry> read_central_header(ByteReader& reader, std::uint64_t shift) {
  const std::uint64_t at = reader.offset();
  SAMEBITS_TRY(const Bytes fixed, reader.take(kCentralBytes, "a central directory header"));
  const std::uint8_t* p = fixed.data();
  const auto error = [&](ErrorCode code, std::string what) {
    return fail({.code = code, .what = std::move(what), .file = reader.file(), .offset = at});
  };
  if (load_u32le(p) != kCentralSignature)
    return error(ErrorCode::malformed, "a central directory header has a wrong signature");
  ZipEntry entry{.method = load_u16le(p + 10),
                 .flags = load_u16le(p + 8),
                 .crc32 = load_u32le(p + 16),
                 .size = load_u32le(p + 24),
                 .compressed_size = load_u32le(p + 20),
                 .header_offset = load_u32le(p + 42),
                 .attributes = load_u32le(p + 38),
                 .central_offset = at};
  SAMEBITS_TRY(const Bytes name, reader.take(load_u16le(p + 28), "a name in the directory"));
  const std::uint64_t extra_at = reader.offset();
  SAMEBITS_TRY(const Bytes extra, reader.take(load_u16le(p + 30), "an extra field"));
  SAMEBITS_TRY_VOID(reader.take(load_u16le(p + 32), "the comment of an entry"));
  entry.name = as_text(name);
  const std::array values{&entry.size, &entry.compressed_size, &entry.header_offset};
  SAMEBITS_TRY_VOID(widen(values, extra, reader.file(), extra_at));
  const std::uint16_t disk = load_u16le(p + 34);
  if (disk != 0 && disk != kDeferred16)
    return error(ErrorCode::unsupported, "the record " + entry.name + " is in another volume");
  if (entry.method != kStored && entry.method != kDeflated)
    return error(ErrorCode::unsupported, "the record " + entry.name + " is compressed by method " +
                                             std::to_string(entry.method));
  if (!checked_add(entry.header_offset, shift, &entry.header_offset))
    return error(ErrorCode::truncated, "the record " + entry.name + " lies outside the file");
  return entry;
}

/// A local header as it stands.
struct LocalHeader {
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
  std::uint32_t crc32 = 0;
  std::uint64_t compressed_size = 0;
  std::uint64_t size = 0;
  std::string_view name;
  Bytes extra;
  std::uint64_t extra_offset = 0;
};

Result<LocalHeader> parse_local_header(ByteReader& reader, const std::string& what) {
  SAMEBITS_TRY(const Bytes fixed, reader.take(kLocalBytes, what));
  const std::uint8_t* p = fixed.data();
  if (load_u32le(p) != kLocalSignature) {
    Error error = reader.error(ErrorCode::malformed, what + " has a wrong signature");
    error.offset = reader.offset() - kLocalBytes;
    return fail(std::move(error));
  }
  LocalHeader local{.flags = load_u16le(p + 6),
                    .method = load_u16le(p + 8),
                    .crc32 = load_u32le(p + 14),
                    .compressed_size = load_u32le(p + 18),
                    .size = load_u32le(p + 22)};
  SAMEBITS_TRY(const Bytes name, reader.take(load_u16le(p + 26), what));
  local.name = as_text(name);
  local.extra_offset = reader.offset();
  SAMEBITS_TRY(local.extra, reader.take(load_u16le(p + 28), what));
  return local;
}

void compare_headers(LocalHeader local, const ZipEntry& entry, const std::string& path,
                     std::vector<ContainerNote>& notes) {
  const auto note = [&](const std::string& what) {
    notes.push_back({"the local header of " + entry.name + " " + what, entry.header_offset});
  };
  const std::array values{&local.size, &local.compressed_size};
  if (!widen(values, local.extra, path, local.extra_offset)) note("has a broken zip64 extra field");
  // Bit 3: the writer did not know yet, and left zeros.
  const bool deferred = (local.flags & kHasDescriptor) != 0;
  const auto differs = [&](std::uint64_t a, std::uint64_t b) {
    return a != b && !(deferred && a == 0);
  };
  if (local.name != entry.name) note("says name " + std::string(local.name));
  if (local.method != entry.method) note("says method " + std::to_string(local.method));
  if ((local.flags ^ entry.flags) & kNotPlain) note("says flags " + std::to_string(local.flags));
  if (differs(local.size, entry.size)) note("says size " + std::to_string(local.size));
  if (differs(local.compressed_size, entry.compressed_size))
    note("says compressed size " + std::to_string(local.compressed_size));
  if (differs(local.crc32, entry.crc32)) note("says another CRC-32");
}

/// Bytes of the data descriptor at `begin` that repeats what the directory says; 0 if none does.
/// The signature is optional, and sizes have 8 or 4 bytes.
std::uint64_t descriptor_bytes(Bytes file, std::uint64_t begin, const ZipEntry& entry) {
  for (const std::uint64_t signature : {4, 0}) {
    for (const std::uint64_t width : {8, 4}) {
      const std::uint64_t bytes = signature + 4 + 2 * width;
      if (bytes > file.size() - begin) continue;
      const std::uint8_t* p = file.data() + begin;
      if (signature != 0 && load_u32le(p) != kDescriptorSignature) continue;
      p += signature;
      const auto size = [&](const std::uint8_t* q) {
        return width == 8 ? load_u64le(q) : std::uint64_t{load_u32le(q)};
      };
      if (load_u32le(p) == entry.crc32 && size(p + 4) == entry.compressed_size &&
          size(p + 4 + width) == entry.size)
        return bytes;
    }
  }
  return 0;
}

}  // namespace

Result<std::vector<ZipEntry>> read_central_directory(Bytes file, const std::string& path,
                                                     const Directory& directory) {
  ByteReader reader(file.subspan(directory.begin, directory.size), path, directory.begin);
  std::vector<ZipEntry> entries;
  entries.reserve(directory.entries);
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    SAMEBITS_TRY(ZipEntry entry, read_central_header(reader, directory.shift));
    entries.push_back(std::move(entry));
  }
  if (reader.remaining() != 0) {
    Error error =
        reader.error(ErrorCode::inconsistent, "the central directory is longer than its entries");
    error.expected = std::to_string(directory.entries) + " entries";
    return fail(std::move(error));
  }
  return entries;
}

Result<void> read_local_header(Bytes file, const std::string& path, ZipEntry& entry,
                               std::vector<Range>& structure, std::vector<ContainerNote>& notes) {
  ByteReader reader(file, path);
  if (entry.header_offset > file.size() || entry.compressed_size > file.size())
    return fail({.code = ErrorCode::truncated,
                 .what = "the record " + entry.name + " lies outside the file",
                 .file = path,
                 .offset = file.size(),
                 .hint = "The file may be cut off"});
  SAMEBITS_TRY_VOID(reader.seek(entry.header_offset));
  SAMEBITS_TRY(const LocalHeader local,
               parse_local_header(reader, "the local header of " + entry.name));
  entry.data_offset = reader.offset();
  SAMEBITS_TRY_VOID(reader.take(entry.compressed_size, "the record " + entry.name));
  structure.emplace_back(entry.header_offset, entry.data_offset);
  compare_headers(local, entry, path, notes);
  if (((local.flags | entry.flags) & kHasDescriptor) == 0) return {};
  const std::uint64_t begin = reader.offset();
  const std::uint64_t bytes = descriptor_bytes(file, begin, entry);
  if (bytes != 0)
    structure.emplace_back(begin, begin + bytes);
  else
    notes.push_back({"the data descriptor of " + entry.name + " is missing or differs", begin});
  return {};
}

}  // namespace samebits::zip
