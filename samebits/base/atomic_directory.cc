#include "samebits/base/atomic_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "samebits/base/atomic_write.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;

// Plain memory that is never freed: a signal's handler may read it. One directory at a time.
std::atomic<bool> directory_exists{false};
std::array<char, PATH_MAX> directory_name{};
static_assert(std::atomic<bool>::is_always_lock_free);

// As the kernel writes it; readdir() may allocate memory, which no handler may do.
struct KernelEntry {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t length;
  std::uint8_t type;
  char name[1];
};

void remove_files_in(int directory) noexcept {
  alignas(KernelEntry) std::array<char, 4096> buffer;
  for (;;) {
    const long count = ::syscall(SYS_getdents64, directory, buffer.data(), buffer.size());
    if (count <= 0) return;
    for (long at = 0; at < count;) {
      const auto* entry = reinterpret_cast<const KernelEntry*>(buffer.data() + at);
      ::unlinkat(directory, entry->name, 0);  // "." and ".." are not removed by it
      at += entry->length;
    }
  }
}

Error directory_error(const std::string& what, const std::string& path) {
  return {.code = ErrorCode::io, .what = what + ": " + std::strerror(errno), .file = path};
}

/// The first thing in the way of a replacement; "" where there is none.
std::string in_the_way(const std::string& path, bool (*may_go)(const std::string& name)) {
  std::error_code error;
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    std::error_code unknown;
    if (!at->is_regular_file(unknown) || !may_go(name)) return name;
  }
  return error ? error.message() : "";
}

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

Result<bool> check_target(const std::string& path, bool replace,
                          bool (*may_go)(const std::string& name)) {
  struct stat status = {};
  if (::lstat(path.c_str(), &status) != 0) return false;
  if (!S_ISDIR(status.st_mode))
    return fail({.code = ErrorCode::usage, .what = "it exists and is no directory", .file = path});
  std::error_code error;
  if (fs::is_empty(path, error) && !error) return true;
  if (!replace)
    return fail({.code = ErrorCode::usage,
                 .what = "it exists and is not empty",
                 .file = path,
                 .hint = "Name another directory, or replace it with --force"});
  const std::string other = in_the_way(path, may_go);
  if (other.empty()) return true;
  return fail({.code = ErrorCode::usage,
               .what = "it holds what would not be written again, and is not replaced: " + other,
               .file = path,
               .hint = "Name another directory"});
}

}  // namespace

void remove_temporary_directory() noexcept {
  if (!directory_exists) return;
  const int directory = ::open(directory_name.data(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;
  remove_files_in(directory);
  ::close(directory);
  ::rmdir(directory_name.data());
}

Result<AtomicDirectory> AtomicDirectory::create(const std::string& path, bool replace,
                                                bool (*may_go)(const std::string& name)) {
  AtomicDirectory made;
  made.path_ = without_slash(written_path(without_slash(path)));
  SAMEBITS_TRY(made.exists_, check_target(made.path_, replace, may_go));
  const std::size_t slash = made.path_.rfind('/');
  std::string temporary = (slash == std::string::npos ? "./" : made.path_.substr(0, slash + 1)) +
                          ".samebits." + std::to_string(::getpid()) + ".tmp";
  SAMEBITS_CHECK(!directory_exists);
  if (temporary.size() >= directory_name.size())
    return fail({.code = ErrorCode::io, .what = "its name is too long", .file = path});
  std::copy_n(temporary.c_str(), temporary.size() + 1, directory_name.begin());
  directory_exists = true;
  if (::mkdir(temporary.c_str(), 0777) != 0) {
    directory_exists = false;
    return fail(directory_error("cannot create a temporary directory beside it", path));
  }
  made.temporary_ = std::move(temporary);
  return made;
}

AtomicDirectory::AtomicDirectory(AtomicDirectory&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, "")),
      exists_(other.exists_) {}

AtomicDirectory::~AtomicDirectory() {
  if (temporary_.empty()) return;
  std::error_code error;
  fs::remove_all(temporary_, error);
  directory_exists = false;
}

// After an exchange the old directory has the temporary name, and the destructor removes it.
Result<void> AtomicDirectory::commit() {
  const int directory = ::open(temporary_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory >= 0) {
    ::fsync(directory);
    ::close(directory);
  }
  const unsigned flags = exists_ ? RENAME_EXCHANGE : RENAME_NOREPLACE;
  int done = ::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), flags);
  // A file system without these: an empty or absent directory is replaced by rename() itself.
  if (done != 0 && (errno == EINVAL || errno == ENOSYS))
    done = std::rename(temporary_.c_str(), path_.c_str());
  if (done != 0) return fail(directory_error("cannot give the new directory its name", path_));
  if (exists_) return {};
  temporary_.clear();
  directory_exists = false;
  return {};
}

}  // namespace samebits
