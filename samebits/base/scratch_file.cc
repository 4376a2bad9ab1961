#include "samebits/base/scratch_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace samebits {
namespace {

/// A file that has no name, or had one for a moment where the file system needs that; -1.
int open_unnamed(const std::string& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
  if (descriptor >= 0) return descriptor;
  std::string name = folder + "/.samebits.XXXXXX.tmp";
  const int named = ::mkostemps(name.data(), 4, O_CLOEXEC);
  if (named >= 0) ::unlink(name.c_str());
  return named;
}

Error scratch_error(const std::string& folder, const std::string& action, int number) {
  return {
      .code = ErrorCode::io,
      .what = action + ": " + std::strerror(number),
      .file = folder,
      .hint = "Merged and dequantized weights are kept there until they are written: make room"};
}

}  // namespace

Result<std::shared_ptr<ScratchFile>> ScratchFile::create(const std::string& folder,
                                                         std::uint64_t size) {
  const std::shared_ptr<ScratchFile> scratch(new ScratchFile());
  if (size == 0) return scratch;
  const int descriptor = open_unnamed(folder);
  if (descriptor < 0) return fail(scratch_error(folder, "cannot create a temporary file", errno));
  // The space is reserved: a full disk would otherwise end the program where a page is written.
  const int refused = ::posix_fallocate(descriptor, 0, static_cast<off_t>(size));
  void* base = refused == 0
                   ? ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
                   : MAP_FAILED;
  const int number = refused == 0 ? errno : refused;
  ::close(descriptor);
  if (base == MAP_FAILED)
    return fail(scratch_error(
        folder, "cannot keep " + std::to_string(size) + " bytes in a temporary file", number));
  scratch->bytes_ = {static_cast<std::uint8_t*>(base), size};
  return scratch;
}

ScratchFile::~ScratchFile() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

std::span<std::uint8_t> ScratchFile::take(std::uint64_t size) {
  SAMEBITS_CHECK(size <= bytes_.size() - taken_);
  const std::span<std::uint8_t> part = bytes_.subspan(taken_, size);
  taken_ += size;
  return part;
}

}  // namespace samebits
