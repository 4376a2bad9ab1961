#include "samebits/container/zip_loaders.h"

#include <algorithm>
#include <string>

namespace samebits::zip {
namespace {

constexpr std::uint32_t kEndRecord = 0x06054b50;
constexpr std::uint32_t kLocator = 0x07064b50;
constexpr std::uint32_t kEnd64 = 0x06064b50;
constexpr std::uint64_t kLocatorSize = 20;
constexpr std::uint64_t kEnd64Size = 56;
constexpr std::uint64_t kEndSize = 22;
constexpr std::uint16_t kEncrypted = 0x41;
constexpr std::uint16_t kPatched = 0x20;
constexpr std::uint16_t kMasked = 0x2000;
constexpr std::uint16_t kNamesAreUtf8 = 0x800;
constexpr std::uint8_t kNewestVersion = 63;  // of the format that zipfile knows, times ten

bool starts_at(Bytes file, std::uint64_t at, std::uint32_t signature) {
  return file.size() >= 4 && at <= file.size() - 4 && load_u32le(file.data() + at) == signature;
}

/// The locator of a zip64 end record, or nothing.
std::optional<std::uint64_t> locator_of(const ZipArchive& archive) {
  const std::uint64_t end = archive.end_record();
  if (end < kLocatorSize + kEnd64Size) return std::nullopt;
  if (!starts_at(archive.file(), end - kLocatorSize, kLocator)) return std::nullopt;
  return end - kLocatorSize;
}

/// miniz takes the last signature of an end record, whatever follows from it.
std::optional<ContainerNote> refuses_end(const ZipArchive& archive) {
  const Bytes file = archive.file();
  for (std::uint64_t at = file.size() - kEndSize; at > archive.end_record(); --at)
    if (starts_at(file, at, kEndRecord))
      return ContainerNote{"it reads another end-of-central-directory record", at};
  return std::nullopt;
}

std::optional<ContainerNote> refuses_locator(const ZipArchive& archive) {
  const std::optional<std::uint64_t> locator = locator_of(archive);
  if (!locator) return std::nullopt;
  const std::uint8_t* p = archive.file().data() + *locator;
  const std::uint64_t stated = load_u64le(p + 8);
  if (stated > archive.file().size() - kEnd64Size)
    return ContainerNote{"the zip64 locator points outside the file", *locator + 8};
  if (starts_at(archive.file(), stated, kEnd64) && load_u32le(p + 16) != 1)
    return ContainerNote{"the zip64 locator says that there are several volumes", *locator + 16};
  return std::nullopt;
}

std::optional<ContainerNote> refuses_central(const ZipArchive& archive, const ZipEntry& entry) {
  const std::uint8_t* p = archive.file().data() + entry.central_offset;
  const auto note = [&](const std::string& what) {
    return ContainerNote{"the directory says of " + entry.name + " " + what, entry.central_offset};
  };
  if (load_u16le(p + 34) == 0xffff) return note("that it is in another volume");
  if ((entry.flags & kMasked) != 0) return note("that it is encrypted (flag 0x2000)");
  const std::uint64_t compressed = load_u32le(p + 20);
  const std::uint64_t size = load_u32le(p + 24);
  if (compressed == 0xffffffff || size == 0xffffffff) return std::nullopt;
  // miniz reads the time with the method here, so a time of its own saves a wrong size.
  const bool unequal = load_u32le(p + 10) == 0 && size != compressed;
  if (unequal || (size != 0 && compressed == 0))
    return note("two sizes that cannot be: " + std::to_string(compressed) + " and " +
                std::to_string(size));
  return std::nullopt;
}

/// Code points follow RFC 3629.
std::size_t sequence_length(std::string_view text, bool surrogates) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool surrogate = !surrogates && first == 0xed && byte(1) >= 0xa0;
  const bool too_large = first == 0xf4 && byte(1) >= 0x90;
  return overlong || surrogate || too_large ? 0 : length;
}

}  // namespace

bool is_utf8(std::string_view text, bool surrogates) {
  while (!text.empty()) {
    const std::size_t length = sequence_length(text, surrogates);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::optional<ContainerNote> miniz_refuses(const ZipArchive& archive) {
  if (auto refused = refuses_end(archive)) return refused;
  if (auto refused = refuses_locator(archive)) return refused;
  for (const ZipEntry& entry : archive.entries())
    if (auto refused = refuses_central(archive, entry)) return refused;
  return std::nullopt;
}

std::optional<ContainerNote> miniz_refuses(const ZipEntry& entry) {
  const auto note = [&](const char* what) {
    return ContainerNote{"the record " + entry.name + what, entry.central_offset};
  };
  if ((entry.flags & kEncrypted) != 0) return note(" is flagged as encrypted");
  if ((entry.flags & kPatched) != 0) return note(" is flagged as a patch");
  return std::nullopt;
}

bool miniz_fills_nothing(const ZipEntry& entry) {
  constexpr std::uint32_t kFolder = 0x10;  // of MS-DOS
  return entry.size != 0 && ((entry.attributes & kFolder) != 0 || entry.name.ends_with('/'));
}

std::optional<ContainerNote> zipfile_refuses(const ZipArchive& archive) {
  const std::optional<std::uint64_t> locator = locator_of(archive);
  const std::uint8_t* file = archive.file().data();
  if (locator && (load_u32le(file + *locator + 4) != 0 || load_u32le(file + *locator + 16) > 1))
    return ContainerNote{"the zip64 locator says that there are several volumes", *locator};
  for (const ZipEntry& entry : archive.entries()) {
    if (file[entry.central_offset + 6] > kNewestVersion)
      return ContainerNote{
          "the directory says that " + entry.name + " needs a newer version of the format",
          entry.central_offset + 6};
    if ((entry.flags & kNamesAreUtf8) != 0 && !is_utf8(entry.name))
      return ContainerNote{"the name of a record is no UTF-8", entry.central_offset};
  }
  return std::nullopt;
}

std::optional<ContainerNote> zipfile_refuses(const ZipArchive& archive, const ZipEntry& entry) {
  const std::uint8_t* p = archive.file().data() + entry.header_offset;
  const std::string_view local =
      as_text(archive.file().subspan(entry.header_offset + 30, load_u16le(p + 26)));
  if (local != entry.name)
    return ContainerNote{
        "the directory and the local header name the record " + entry.name + " otherwise",
        entry.header_offset};
  return miniz_refuses(entry);
}

}  // namespace samebits::zip
