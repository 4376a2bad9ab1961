#include "samebits/train/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include "samebits/base/atomic_directory.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStep = "step-";
constexpr std::string_view kRemoved = ".removed.step-";

Error folder_error(const std::string& path, const std::string& what) {
  return {.code = ErrorCode::io, .what = what, .file = path};
}

std::optional<std::uint64_t> step_of_name(std::string_view name) {
  if (!name.starts_with(kStep)) return std::nullopt;
  name.remove_prefix(kStep.size());
  std::uint64_t step = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), step);
  const bool plain = error == std::errc() && end == name.data() + name.size() &&
                     std::to_string(step) == name;  // no leading zeros
  return plain ? std::optional(step) : std::nullopt;
}

bool is_leftover(const std::string& name) {
  return name.starts_with(kRemoved) || (name.starts_with(".samebits.") && name.ends_with(".tmp"));
}

template <class Visit>
Result<void> visit_names(const std::string& path, Visit visit) {
  std::error_code error;
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error))
    visit(at->path().filename().string());
  if (error) return fail(folder_error(path, error.message()));
  return {};
}

void sync_directory(const std::string& path) {
  const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;
  ::fsync(directory);
  ::close(directory);
}

}  // namespace

std::string newest_checkpoint(const std::string& path) {
  std::optional<std::uint64_t> newest;
  const Result<void> read = visit_names(path, [&](const std::string& name) {
    const auto step = step_of_name(name);
    std::error_code error;
    if (step && fs::is_regular_file(path + "/" + name + "/training.json", error))
      newest = std::max(newest.value_or(0), *step);
  });
  if (!read || !newest) return path;
  return path + (path.ends_with('/') ? "" : "/") + std::string(kStep) + std::to_string(*newest);
}

Result<RunFolder> RunFolder::open(const std::string& path) {
  RunFolder folder;
  folder.path_ = path;
  while (folder.path_.size() > 1 && folder.path_.ends_with('/')) folder.path_.pop_back();
  std::error_code error;
  fs::create_directories(folder.path_, error);
  if (error) return fail(folder_error(path, "the directory cannot be made: " + error.message()));
  folder.lock_ = ::open(folder.path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder.lock_ < 0) return fail(folder_error(path, std::strerror(errno)));
  if (::flock(folder.lock_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    return fail({.code = ErrorCode::usage,
                 .what = "another training writes into this directory",
                 .file = path});
  SAMEBITS_TRY_VOID(folder.remove_leftovers());
  return folder;
}

RunFolder::RunFolder(RunFolder&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

RunFolder::~RunFolder() {
  if (lock_ >= 0) ::close(lock_);
}

std::string RunFolder::step_path(std::uint64_t step) const {
  return path_ + "/" + std::string(kStep) + std::to_string(step);
}

Result<std::vector<std::uint64_t>> RunFolder::steps() const {
  std::vector<std::uint64_t> steps;
  SAMEBITS_TRY_VOID(visit_names(path_, [&](const std::string& name) {
    if (const auto step = step_of_name(name)) steps.push_back(*step);
  }));
  std::ranges::sort(steps);
  return steps;
}

Result<void> RunFolder::remove_leftovers() const {
  std::vector<std::string> names;
  SAMEBITS_TRY_VOID(visit_names(path_, [&](const std::string& name) {
    if (is_leftover(name)) names.push_back(name);
  }));
  for (const std::string& name : names) {
    std::error_code error;
    fs::remove_all(path_ + "/" + name, error);
    if (error) return fail(folder_error(path_ + "/" + name, error.message()));
  }
  return {};
}

Result<void> RunFolder::save(
    std::uint64_t step, std::size_t keep,
    const std::function<Result<void>(const std::string& directory)>& write) const {
  {
    SAMEBITS_TRY(AtomicDirectory directory,
                 AtomicDirectory::create(step_path(step), false, nullptr));
    SAMEBITS_TRY_VOID(write(directory.temporary()));
    SAMEBITS_TRY_VOID(directory.commit());
  }
  sync_directory(path_);
  return keep == 0 ? Result<void>() : remove_old(keep);
}

// First another name, so that no step-N is ever a part of one.
Result<void> RunFolder::remove_old(std::size_t keep) const {
  SAMEBITS_TRY(const std::vector<std::uint64_t> all, steps());
  for (std::size_t i = 0; i + keep < all.size(); ++i) {
    const std::string away = path_ + "/" + std::string(kRemoved) + std::to_string(all[i]);
    std::error_code error;
    fs::rename(step_path(all[i]), away, error);
    if (!error) fs::remove_all(away, error);
    if (error) return fail(folder_error(step_path(all[i]), error.message()));
  }
  return {};
}

}  // namespace samebits
