#include "samebits/checkpoint/side_pickles.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <unordered_set>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/file_reader.h"
#include "samebits/checkpoint/torch_files.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;

constexpr std::array kPickleExtensions = std::to_array<std::string_view>({
    ".bin",
    ".ckpt",
    ".dill",
    ".joblib",
    ".npy",
    ".npz",
    ".p",
    ".pickle",
    ".pk",
    ".pkl",
    ".pt",
    ".pth",
    ".tar",
});

/// Names in the directory that may be pickles and were not read, in alphabetical order.
std::vector<std::string> side_files(const Checkpoint& checkpoint, const fs::path& directory) {
  std::unordered_set<std::string> known;
  for (const SourceFile& file : checkpoint.files)
    known.insert(fs::path(file.path).filename().string());
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const fs::path& path = at->path();
    const std::string extension = path.extension().string();
    std::error_code unknown;  // no pipe or device is opened
    if (std::ranges::count(kPickleExtensions, extension) == 0 || !at->is_regular_file(unknown))
      continue;
    if (known.count(path.filename().string()) == 0) names.push_back(path.filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// What only a pickle or an archive of them begins with; other bytes may be anything.
bool is_surely_one(Bytes bytes) {
  const std::string_view text = as_text(bytes);
  return text.starts_with("PK\x03\x04") || is_torch_legacy(bytes) ||
         (bytes.size() > 1 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5);
}

void merge_calls(Checkpoint& checkpoint, Checkpoint part, const std::string& path) {
  for (CallSummary& call : part.calls) {
    if (call.plain || call.constructs) continue;
    call.beside = path;
    checkpoint.calls.push_back(std::move(call));
  }
  for (std::string& name : part.imports) {
    if (std::ranges::count(checkpoint.imports, name) == 0)
      checkpoint.imports.push_back(std::move(name));
  }
  for (UnusualImport& import : part.unusual_imports) {
    import.beside = path;
    checkpoint.unusual_imports.push_back(std::move(import));
  }
  checkpoint.unread.insert(checkpoint.unread.end(), part.unread.begin(), part.unread.end());
}

void add_side_file(Checkpoint& checkpoint, const std::string& path) {
  Result<std::shared_ptr<const MappedFile>> map = MappedFile::open(path);
  if (!map) return checkpoint.unread.push_back(std::move(map).error());
  Checkpoint part;
  part.path = path;
  part.files.push_back({path, "", *map});
  const Result<void> read = read_file(part, {.file = 0, .main = false, .calls_only = true});
  const bool is_one = is_surely_one((*map)->bytes());
  const bool failed = !read || !part.unread.empty();
  // A file of other bytes is no pickle, unless it would do something before it breaks.
  const bool acts = std::ranges::any_of(
      part.calls, [](const CallSummary& call) { return !call.plain && !call.constructs; });
  if (failed && !is_one && !acts) return;
  if (!read && read.error().code != ErrorCode::unsupported) part.unread.push_back(read.error());
  merge_calls(checkpoint, std::move(part), path);
}

}  // namespace

void add_side_calls(Checkpoint& checkpoint, const std::string& directory) {
  const std::vector<std::string> names = side_files(checkpoint, directory);
  for (std::size_t i = 0; i < std::min<std::size_t>(names.size(), kLimits.side_files); ++i)
    add_side_file(checkpoint, (fs::path(directory) / names[i]).string());
  if (names.size() > kLimits.side_files) {
    checkpoint.unread.push_back({.code = ErrorCode::limit,
                                 .what = "many files lie beside the weights",
                                 .file = (fs::path(directory) / names[kLimits.side_files]).string(),
                                 .expected = std::to_string(kLimits.side_files) + " at most",
                                 .found = std::to_string(names.size()),
                                 .hint = "This one and those after it were not read for what "
                                         "loading them would call"});
  }
}

}  // namespace samebits
