#include "samebits/cli/inspect_list.h"

#include <glob.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include <fmt/format.h>

#include "samebits/cli/progress.h"
#include "samebits/report/json.h"
#include "samebits/report/list_section.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostListed = 100'000;
constexpr int kDeepestFolder = 40;
// A file that is named so is meant to be one of weights, and a fault in it is said.
constexpr std::array kUsualExtensions =
    std::to_array<std::string_view>({".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".npz", ".npy",
                                     ".pkl", ".h5", ".gguf", ".msgpack", ".onnx"});

/// What was inspected so far; with --json each report as text, else what its line needs.
class InspectedList {
 public:
  InspectedList(const InspectOptions& options, const ReportOptions& report)
      : options_(options), report_(report) {}

  void add_path(const std::string& path, bool recursive) {
    std::error_code error;
    if (recursive && fs::is_directory(path, error)) {
      walk(path, 0);
    } else {
      keep(made(path));
    }
  }

  int print() const {
    std::string text;
    if (report_.json) {
      text = reports_.empty() ? "[]\n" : "[\n" + reports_ + "]\n";
    } else {
      text = render_list(rows_, others_, is_cut_, terminal_style(report_));
    }
    return write_output(text) ? status_ : 2;
  }

  bool is_empty() const { return count_ == 0; }

 private:
  Report made(const std::string& path) {
    const Progress progress("reading " + path);
    return inspect(path, options_);
  }

  void keep(const Report& report) {
    ++count_;
    status_ = std::max(status_, exit_status(report));
    if (report_.json) {
      reports_ += (reports_.empty() ? "" : ",\n") + json_text(report);
      if (reports_.ends_with('\n')) reports_.pop_back();
    } else {
      rows_.push_back(list_row(report));
    }
  }

  /// True where it was read as one.
  bool keep_readable(const std::string& path, bool even_broken) {
    if (count_ >= kMostListed) {
      is_cut_ = true;
      return false;
    }
    const Report report = made(path);
    const bool is_read = report.subjects[0].checkpoint.has_value();
    if (is_read || even_broken) keep(report);
    return is_read;
  }

  void walk(const fs::path& directory, int depth) {
    std::vector<fs::path> folders;
    std::vector<fs::path> files;
    std::error_code error;
    for (fs::directory_iterator at(directory, error), end; !error && at != end;
         at.increment(error)) {
      std::error_code unknown;
      if (at->is_directory(unknown)) {
        if (!at->is_symlink(unknown)) folders.push_back(at->path());
      } else if (at->is_regular_file(unknown)) {
        files.push_back(at->path());
      }
    }
    if (error) keep(made(directory.string()));  // it cannot be listed, and says so
    std::sort(folders.begin(), folders.end());
    std::sort(files.begin(), files.end());
    if (!keep_readable(directory.string(), false)) {
      for (const fs::path& file : files) {
        const bool is_meant = std::ranges::count(kUsualExtensions, file.extension().string()) > 0;
        if (!keep_readable(file.string(), is_meant) && !is_meant) ++others_;
      }
    }
    if (depth == kDeepestFolder) is_cut_ = is_cut_ || !folders.empty();
    for (const fs::path& folder : folders) {
      if (depth < kDeepestFolder) walk(folder, depth + 1);
    }
  }

  const InspectOptions& options_;
  const ReportOptions& report_;
  std::vector<ListRow> rows_;
  std::string reports_;
  std::size_t count_ = 0, others_ = 0;
  bool is_cut_ = false;
  int status_ = 0;
};

bool is_pattern(const std::string& path) { return path.find_first_of("*?[") != std::string::npos; }

}  // namespace

std::vector<std::string> expanded_paths(const std::vector<std::string>& given) {
  std::vector<std::string> paths;
  for (const std::string& path : given) {
    std::error_code error;
    glob_t found{};
    const bool is_glob =
        is_pattern(path) && !fs::exists(path, error) && glob(path.c_str(), 0, nullptr, &found) == 0;
    if (is_glob) {
      paths.insert(paths.end(), found.gl_pathv, found.gl_pathv + found.gl_pathc);
    } else {
      paths.push_back(path);
    }
    globfree(&found);
  }
  return paths;
}

int inspect_all(const std::vector<std::string>& paths, bool recursive,
                const InspectOptions& options, const ReportOptions& report) {
  InspectedList list(options, report);
  for (const std::string& path : paths) list.add_path(path, recursive);
  if (list.is_empty()) {
    return command_error("inspect", paths,
                         {.code = ErrorCode::usage,
                          .what = "nothing below " + paths.front() + " is read as a checkpoint"},
                         report);
  }
  return list.print();
}

}  // namespace samebits
