#include "samebits/base/atomic_write.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

namespace samebits {
namespace {

// The temporary names that exist now. Plain memory that is never freed: a signal's handler may read
// it on one thread while another writes.
struct NameSlot {
  std::atomic<bool> taken{false};
  std::atomic<bool> ready{false};  // the name is complete
  std::array<char, PATH_MAX> name{};
};
std::array<NameSlot, 4> name_slots;
static_assert(std::atomic<bool>::is_always_lock_free);

/// The slot, or -1 where all are taken.
int remember_name(const std::string& name) {
  if (name.size() >= PATH_MAX) return -1;
  for (std::size_t i = 0; i < name_slots.size(); ++i) {
    if (name_slots[i].taken.exchange(true)) continue;
    std::copy_n(name.c_str(), name.size() + 1, name_slots[i].name.begin());
    name_slots[i].ready = true;
    return static_cast<int>(i);
  }
  return -1;
}

void forget_name(int slot) {
  if (slot < 0) return;
  name_slots[static_cast<std::size_t>(slot)].ready = false;
  name_slots[static_cast<std::size_t>(slot)].taken = false;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "./" : path.substr(0, slash + 1);
}

// Short, so that a target may have the longest name that the file system allows.
std::string temporary_name(const std::string& target) {
  static std::atomic<unsigned> next{0};
  return folder_of(target) + ".samebits." + std::to_string(::getpid()) + "." +
         std::to_string(next++) + ".tmp";
}

// Gives a file without a name one.
std::string link_source(int descriptor) { return "/proc/self/fd/" + std::to_string(descriptor); }

// Makes the new name itself last. The new content is in place already, so a folder that cannot be
// flushed (some network file systems) is no error.
void flush_folder(const std::string& target) {
  const int descriptor = ::open(folder_of(target).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

void remove_temporary_files() noexcept {
  for (NameSlot& slot : name_slots) {
    if (slot.ready) ::unlink(slot.name.data());
  }
}

std::string written_path(const std::string& path) {
  constexpr int kMostLinks = 40;  // the kernel's own bound
  std::string target = path;
  std::error_code error;
  for (int i = 0; i < kMostLinks; ++i) {
    const std::unique_ptr<char, decltype(&::free)> real(::realpath(target.c_str(), nullptr),
                                                        &::free);
    if (real) return real.get();
    const std::filesystem::path next = std::filesystem::read_symlink(target, error);
    if (error) break;
    target = next.is_absolute() ? next.string() : folder_of(target) + next.string();
  }
  return target;
}

Error AtomicFile::error(const std::string& action) const {
  return {.code = ErrorCode::io, .what = action + ": " + std::strerror(errno), .file = path_};
}

AtomicFile::AtomicFile(const std::string& path) : path_(path), target_(written_path(path)) {}

bool AtomicFile::open_unnamed() {
  descriptor_ = ::open(folder_of(target_).c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);
  if (descriptor_ < 0) return false;
  if (::access(link_source(descriptor_).c_str(), F_OK) == 0) return true;
  ::close(std::exchange(descriptor_, -1));  // without /proc it would never get a name
  return false;
}

bool AtomicFile::open_named() {
  temporary_ = temporary_name(target_);
  slot_ = remember_name(temporary_);
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  return descriptor_ >= 0;
}

Result<AtomicFile> AtomicFile::create(const std::string& path, bool named) {
  AtomicFile file(path);
  struct stat status = {};
  const bool exists = ::stat(file.target_.c_str(), &status) == 0;
  if (exists && !S_ISREG(status.st_mode)) {
    return fail({.code = ErrorCode::io, .what = "not a regular file", .file = path});
  }
  if ((named || !file.open_unnamed()) && !file.open_named()) {
    return fail(file.error("cannot create a temporary file beside it"));
  }
  if (exists && ::fchmod(file.descriptor_, status.st_mode & 07777) != 0) {
    return fail(file.error("cannot keep its permissions"));
  }
  return file;
}

Result<AtomicFile> AtomicFile::create(const std::string& path) { return create(path, false); }

Result<AtomicFile> AtomicFile::create_named(const std::string& path) { return create(path, true); }

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      temporary_(std::move(other.temporary_)),
      slot_(std::exchange(other.slot_, -1)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      written_(other.written_),
      flushing_(other.flushing_) {}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }
  forget_name(slot_);
}

Result<void> AtomicFile::write(Bytes bytes) {
  SAMEBITS_CHECK(descriptor_ >= 0);
  // Of larger pieces the kernel copies whole large pages at once, by an instruction that takes
  // three times as long for them as for what stays in the cache.
  constexpr std::size_t kPiece = 256 << 10;
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), std::min(kPiece, bytes.size()));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(error("cannot write"));
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    written_ += static_cast<std::uint64_t>(written);
    begin_flushing();
  }
  return {};
}

// The system would wait until commit() asks for everything at once. A file system that cannot do it
// earlier does it then.
void AtomicFile::begin_flushing() {
  constexpr std::uint64_t kRun = 8 << 20;
  if (written_ - flushing_ < kRun) return;
  ::sync_file_range(descriptor_, static_cast<off_t>(flushing_),
                    static_cast<off_t>(written_ - flushing_), SYNC_FILE_RANGE_WRITE);
  flushing_ = written_;
}

std::string AtomicFile::readable_path() const {
  return temporary_.empty() ? link_source(descriptor_) : temporary_;
}

// A link does not replace a file, a rename does, but needs a name to begin with.
bool AtomicFile::take_name() {
  if (temporary_.empty()) {
    const std::string source = link_source(descriptor_);
    const auto link_to = [&](const std::string& name) {
      return ::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
    };
    if (link_to(target_)) return true;
    if (errno != EEXIST) return false;
    const std::string name = temporary_name(target_);
    slot_ = remember_name(name);
    if (!link_to(name)) return false;
    temporary_ = name;
  }
  return std::rename(temporary_.c_str(), target_.c_str()) == 0;
}

Result<void> AtomicFile::commit() {
  SAMEBITS_CHECK(descriptor_ >= 0);
  if (::fsync(descriptor_) != 0) return fail(error("cannot flush to the disk"));
  if (!take_name()) return fail(error("cannot give the new file its name"));
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
