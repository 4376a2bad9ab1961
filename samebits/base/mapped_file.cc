#include "samebits/base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace samebits {
namespace {

Error io_error(const std::string& path, std::string what) {
  return {.code = ErrorCode::io, .what = std::move(what), .file = path};
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::string& path) {
  // O_NONBLOCK: opening a pipe must not wait for a writer.
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0)
    return fail(io_error(path, std::string("cannot open: ") + std::strerror(errno)));
  struct stat status = {};
  if (::fstat(fd.get(), &status) != 0) {
    return fail(io_error(path, std::string("cannot read its size: ") + std::strerror(errno)));
  }
  if (!S_ISREG(status.st_mode)) {
    Error e = io_error(path, "not a regular file");
    e.hint = "Copy it to a file first; pipes and devices cannot be mapped";
    return fail(std::move(e));
  }
  std::shared_ptr<MappedFile> file(new MappedFile());
  file->path_ = path;
  file->modified_ = status.st_mtime;
  file->device_ = status.st_dev;
  file->inode_ = status.st_ino;
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > 0) {
    void* base = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (base == MAP_FAILED) {
      return fail(io_error(path, std::string("cannot map: ") + std::strerror(errno)));
    }
    file->bytes_ = {static_cast<const std::uint8_t*>(base), size};
  }
  return file;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::uint8_t*>(bytes_.data()), bytes_.size());
}

void MappedFile::will_read(std::uint64_t offset, std::uint64_t count) const {
  if (offset >= size() || count == 0) return;
  const std::uint64_t page = 4096;
  const std::uint64_t begin = offset / page * page;
  const std::uint64_t end = count > size() - offset ? size() : offset + count;
  ::madvise(const_cast<std::uint8_t*>(bytes_.data()) + begin, end - begin, MADV_WILLNEED);
}

}  // namespace samebits
