#include "samebits/cli/targets.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <optional>
#include <utility>

#include "samebits/base/atomic_write.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;

// How many files of a directory are compared. A directory of weights has less than a thousand.
constexpr int kMostFiles = 100'000;

struct Inode {
  dev_t device;
  ino_t number;
  bool operator==(const Inode&) const = default;
};

std::optional<Inode> inode_of(const struct stat& status) {
  return Inode{status.st_dev, status.st_ino};
}

std::optional<Inode> inode_of(const std::string& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 ? inode_of(status) : std::nullopt;
}

/// What makes a file the same one: its inode, or, before it exists, its name in its folder.
struct Identity {
  std::optional<Inode> file, folder;
  std::string name;

  explicit Identity(const std::string& path) {
    const fs::path written = written_path(path);
    file = inode_of(written.string());
    folder = inode_of(written.has_parent_path() ? written.parent_path().string() : ".");
    name = written.filename().string();
  }
  bool operator==(const Identity& other) const {
    if (file && other.file) return *file == *other.file;
    return folder && folder == other.folder && name == other.name;
  }
};

bool holds(const std::string& directory, const Inode& file) {
  std::error_code error;
  constexpr auto kOptions = fs::directory_options::skip_permission_denied;
  int left = kMostFiles;
  for (fs::recursive_directory_iterator entry(directory, kOptions, error), end;
       !error && entry != end && --left > 0; entry.increment(error)) {
    if (inode_of(entry->path().string()) == file) return true;
  }
  return false;
}

bool is_of_input(const Identity& target, const std::string& input) {
  if (input.empty()) return false;
  std::error_code error;
  if (fs::is_directory(input, error)) return target.file && holds(input, *target.file);
  return target == Identity(input);
}

Error same_file(std::string what, const std::string& path) {
  return {.code = ErrorCode::usage,
          .what = std::move(what),
          .file = path,
          .hint = "Write to another file"};
}

struct Stream {
  int descriptor;
  const char* name;
};
constexpr std::array kStreams =
    std::to_array<Stream>({{STDOUT_FILENO, "standard output"}, {STDERR_FILENO, "standard error"}});

/// Where a shell sends the report: only a regular file can be one of ours.
std::optional<Inode> file_of(const Stream& stream) {
  struct stat status = {};
  const bool is_file = ::fstat(stream.descriptor, &status) == 0 && S_ISREG(status.st_mode);
  return is_file ? inode_of(status) : std::nullopt;
}

Result<void> check_streams(const std::vector<Target>& targets,
                           const std::vector<std::string>& inputs) {
  for (const Stream& stream : kStreams) {
    const std::optional<Inode> file = file_of(stream);
    if (!file) continue;
    for (const Target& target : targets) {
      if (inode_of(target.path) != file) continue;
      return fail(same_file(std::string(stream.name) + " goes to the file of " + target.option,
                            target.path));
    }
    for (const std::string& input : inputs) {
      if (inode_of(input) == file)
        return fail(same_file(std::string(stream.name) + " goes to a file of the input", input));
    }
  }
  return {};
}

}  // namespace

Result<void> check_targets(const std::vector<Target>& targets,
                           const std::vector<std::string>& inputs) {
  std::vector<Target> written;
  for (const Target& target : targets) {
    if (target.path.empty()) continue;
    const Identity identity(target.path);
    for (const Target& other : written) {
      if (identity == Identity(other.path))
        return fail(
            same_file(other.option + " and " + target.option + " are the same file", target.path));
    }
    for (const std::string& input : inputs) {
      if (is_of_input(identity, input))
        return fail(same_file("it is a file of the input, and is not overwritten", target.path));
    }
    written.push_back(target);
  }
  SAMEBITS_TRY_VOID(check_streams(written, inputs));
  // Made and dropped: what cannot be written is said now, not after the work.
  for (const Target& target : written) SAMEBITS_TRY_VOID(AtomicFile::create(target.path));
  return {};
}

}  // namespace samebits
