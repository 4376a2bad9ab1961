// Any bytes as a zip archive: open it, read every entry, look every name up.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "samebits/container/zip.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace samebits;
  constexpr std::uint64_t kMostBytes = 16 << 20;  // inflated in one run, so that runs stay short
  const Bytes file(data, size);
  (void)ZipArchive::looks_like(file);
  const Result<ZipArchive> archive = ZipArchive::open(file, "fuzz.zip");
  if (!archive) return 0;
  std::uint64_t total = 0;
  std::vector<std::uint8_t> buffer;
  for (const ZipEntry& entry : archive->entries()) {
    SAMEBITS_CHECK(archive->find(entry.name) != nullptr);
    (void)archive->stored(entry);
    if (entry.size > kMostBytes - total) continue;
    total += entry.size;
    if (const Result<Bytes> bytes = archive->read(entry, buffer)) {
      SAMEBITS_CHECK(bytes->size() == entry.size);
      SAMEBITS_CHECK(archive->actual_crc32(entry).has_value());
    }
  }
  return 0;
}
