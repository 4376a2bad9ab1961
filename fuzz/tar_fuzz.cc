// Any bytes as a tar archive: open it, and read the ends of every member.
#include <cstddef>
#include <cstdint>

#include "samebits/container/tar.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace samebits;
  const Bytes file(data, size);
  (void)TarArchive::looks_like(file);
  const Result<TarArchive> archive = TarArchive::open(file, "fuzz.tar");
  if (!archive) return 0;
  std::uint64_t end = 0;
  for (const TarMember& member : archive->members) {
    SAMEBITS_CHECK(member.header >= end && member.offset > member.header);
    SAMEBITS_CHECK(member.offset <= size && member.size <= size - member.offset);
    end = member.offset + member.size;
  }
  if (!archive->members.empty())
    SAMEBITS_CHECK(archive->find(archive->members.back().name) == &archive->members.back());
  return 0;
}
