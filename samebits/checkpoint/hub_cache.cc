#include "samebits/checkpoint/hub_cache.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/base/mapped_file.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

/// One component of a path that cannot lead out of its folder.
bool is_component(std::string_view text) {
  return !text.empty() && text.front() != '.' && std::ranges::all_of(text, is_name_character);
}

bool are_components(std::string_view text) {
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('/', begin), text.size());
    if (!is_component(text.substr(begin, end - begin))) return false;
    begin = end + 1;
  }
  return true;
}

bool is_cache_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

/// "models--google--vit-base-patch16-224"; "" for what is no name of a model.
std::string folder_of(std::string_view model) {
  if (std::ranges::count(model, '/') > 1 || !are_components(model)) return "";
  std::string folder = "models--" + std::string(model);
  if (const std::size_t slash = folder.find('/'); slash != std::string::npos)
    folder.replace(slash, 1, "--");
  return folder;
}

/// What refs/REVISION holds; "" where there is no such file or it holds no commit.
std::string commit_of(const fs::path& model, std::string_view revision) {
  const auto file = MappedFile::open((model / "refs" / revision).string());
  if (!file) return "";
  const Bytes bytes = (*file)->bytes();
  std::string commit(bytes.begin(), bytes.end());
  while (!commit.empty() && (commit.back() == '\n' || commit.back() == ' ')) commit.pop_back();
  return is_component(commit) ? commit : "";
}

std::vector<std::string> snapshots_of(const fs::path& model) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(model / "snapshots", error), end; !error && at != end;
       at.increment(error))
    names.push_back(at->path().filename().string());
  std::ranges::sort(names);
  return names;
}

}  // namespace

Result<std::optional<std::string>> find_snapshot(const std::string& cache, std::string_view name) {
  const std::size_t at = name.find('@');
  const std::string_view model = name.substr(0, at);
  const std::string_view revision =
      at == std::string_view::npos ? std::string_view("main") : name.substr(at + 1);
  const std::string folder = folder_of(model);
  if (cache.empty() || folder.empty() || !are_components(revision))
    return std::optional<std::string>();
  const fs::path place = fs::path(cache) / folder;
  if (!is_cache_folder(place)) return std::optional<std::string>();
  for (const std::string& commit : {commit_of(place, revision), std::string(revision)}) {
    if (commit.empty()) continue;
    const fs::path snapshot = place / "snapshots" / commit;
    if (is_cache_folder(snapshot)) return std::optional(snapshot.string());
  }
  const std::vector<std::string> there = snapshots_of(place);
  return fail({.code = ErrorCode::usage,
               .what = fmt::format("the Hugging Face cache has {} but not its revision {}", model,
                                   revision),
               .file = place.string(),
               .hint = there.empty() ? std::string("Download it again")
                                     : fmt::format("Name one that it has: {}@{}", model,
                                                   fmt::join(there, ", "))});
}

}  // namespace samebits
