#include "samebits/base/atomic_write.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace samebits {
namespace {

// Where a symbolic link leads, so that the link stays one.
std::string resolved(const std::string& path) {
  const std::unique_ptr<char, decltype(&::free)> real(::realpath(path.c_str(), nullptr), &::free);
  return real ? std::string(real.get()) : path;
}

std::string temporary_name(const std::string& target) {
  static std::atomic<unsigned> next{0};
  return target + "." + std::to_string(::getpid()) + "." + std::to_string(next++) + ".tmp";
}

// Makes the rename itself last. The new content is in place already, so a folder that cannot be
// flushed (some network file systems) is no error.
void flush_folder(const std::string& target) {
  const std::size_t slash = target.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : target.substr(0, slash + 1);
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

Error AtomicFile::error(const std::string& action) const {
  return {.code = ErrorCode::io, .what = action + ": " + std::strerror(errno), .file = path_};
}

Result<AtomicFile> AtomicFile::create(const std::string& path) {
  AtomicFile file;
  file.path_ = path;
  file.target_ = resolved(path);
  struct stat status = {};
  const bool exists = ::stat(file.target_.c_str(), &status) == 0;
  if (exists && !S_ISREG(status.st_mode)) {
    return fail({.code = ErrorCode::io, .what = "not a regular file", .file = path});
  }
  file.temporary_ = temporary_name(file.target_);
  file.descriptor_ = ::open(file.temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file.descriptor_ < 0) return fail(file.error("cannot create a temporary file beside it"));
  if (exists && ::fchmod(file.descriptor_, status.st_mode & 07777) != 0) {
    return fail(file.error("cannot keep its permissions"));
  }
  return file;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      temporary_(std::move(other.temporary_)),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

Result<void> AtomicFile::write(Bytes bytes) {
  SAMEBITS_CHECK(descriptor_ >= 0);
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(error("cannot write"));
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> AtomicFile::commit() {
  SAMEBITS_CHECK(descriptor_ >= 0);
  if (::fsync(descriptor_) != 0) return fail(error("cannot flush to the disk"));
  if (std::rename(temporary_.c_str(), target_.c_str()) != 0) {
    return fail(error("cannot rename the temporary file"));
  }
  ::close(std::exchange(descriptor_, -1));
  flush_folder(target_);
  return {};
}

Result<void> atomic_write(const std::string& path, Bytes contents) {
  SAMEBITS_TRY(AtomicFile file, AtomicFile::create(path));
  SAMEBITS_TRY_VOID(file.write(contents));
  return file.commit();
}

Result<void> atomic_write(const std::string& path, std::string_view contents) {
  return atomic_write(
      path, Bytes(reinterpret_cast<const std::uint8_t*>(contents.data()), contents.size()));
}

}  // namespace samebits
