#include "samebits/checkpoint/below.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <tuple>

#include <fmt/format.h>

namespace samebits {
namespace {

constexpr int kDeepestBelow = 4;
constexpr std::size_t kMostBelow = 5'000;  // entries looked at

constexpr std::array kModelFiles = std::to_array<std::string_view>({
    "adapter_model.bin",
    "adapter_model.safetensors",
    "diffusion_pytorch_model.safetensors",
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
});
constexpr std::array kWeightExtensions =
    std::to_array<std::string_view>({".ckpt", ".npz", ".pt", ".pth", ".safetensors"});
// Beside a model, and never the model.
constexpr std::array kNoModelBegins = std::to_array<std::string_view>(
    {"optimizer", "scheduler", "scaler", "rng_state", "random_states", "sampler"});

struct Below {
  int depth = 0;
  std::uint64_t number = 0;  // the last one in its name
  std::string path;
};

std::uint64_t last_number(const std::string& name) {
  std::size_t end = name.find_last_of("0123456789");
  if (end == std::string::npos) return 0;
  std::size_t begin = end;
  while (begin > 0 && name[begin - 1] >= '0' && name[begin - 1] <= '9') --begin;
  std::uint64_t number = 0;
  for (std::size_t i = begin; i <= end && i < begin + 18; ++i)
    number = number * 10 + static_cast<std::uint64_t>(name[i] - '0');
  return number;
}

bool is_file_of_weights(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  return std::ranges::count(kWeightExtensions, path.extension().string()) > 0 &&
         std::ranges::none_of(kNoModelBegins,
                              [&](std::string_view begin) { return name.starts_with(begin); });
}

/// A directory with a model counts as one; files of weights count where there is no such.
void look_below(const std::filesystem::path& directory, int depth, std::size_t* budget,
                std::vector<Below>* found) {
  std::error_code error;
  std::vector<std::filesystem::path> folders;
  std::vector<std::filesystem::path> files;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    if ((*budget)-- == 0) break;
    std::error_code unknown;
    const std::filesystem::path& path = at->path();
    if (at->is_directory(unknown) && !at->is_symlink(unknown)) {
      folders.push_back(path);
    } else if (depth > 0 && std::ranges::count(kModelFiles, path.filename().string()) > 0) {
      found->push_back({depth, last_number(directory.filename().string()), directory.string()});
      return;
    } else if (is_file_of_weights(path)) {
      files.push_back(path);
    }
    if (*budget == 0) break;
  }
  for (const auto& file : files)
    found->push_back({depth + 1, last_number(file.stem().string()), file.string()});
  if (depth == kDeepestBelow) return;
  std::sort(folders.begin(), folders.end());
  for (const auto& folder : folders) {
    if (*budget == 0) return;
    look_below(folder, depth + 1, budget, found);
  }
}

/// The snapshot that the cache's refs/main names.
std::string main_snapshot(std::filesystem::path directory) {
  if (directory.filename() == "snapshots") directory = directory.parent_path();
  std::ifstream file(directory / "refs" / "main", std::ios::binary);
  std::string revision(64, '\0');
  file.read(revision.data(), static_cast<std::streamsize>(revision.size()));
  revision.resize(static_cast<std::size_t>(file.gcount()));
  revision.resize(std::min(revision.size(), revision.find_first_of("\r\n")));
  if (revision.empty() || revision.find_first_of("/\\") != std::string::npos || revision[0] == '.')
    return "";
  return (directory / "snapshots" / revision).string();
}

}  // namespace

std::vector<std::string> weights_below(const std::string& directory) {
  std::vector<Below> found;
  std::size_t budget = kMostBelow;
  look_below(directory, 0, &budget, &found);
  const std::string preferred = main_snapshot(directory);
  std::sort(found.begin(), found.end(), [&](const Below& a, const Below& b) {
    return std::tuple(a.path != preferred, a.depth, b.number, a.path) <
           std::tuple(b.path != preferred, b.depth, a.number, b.path);
  });
  std::vector<std::string> paths;
  for (Below& each : found) paths.push_back(std::move(each.path));
  return paths;
}

std::string hint_below(const std::string& directory) {
  constexpr std::size_t kMostNamed = 4;
  const std::vector<std::string> paths = weights_below(directory);
  if (paths.empty()) return "";
  std::string others;
  for (std::size_t i = 1; i < std::min(paths.size(), kMostNamed); ++i)
    others += (others.empty() ? "" : ", ") + paths[i];
  if (paths.size() > kMostNamed) others += fmt::format(" and {} more", paths.size() - kMostNamed);
  return "Name " + paths[0] + (others.empty() ? "" : " (others: " + others + ")");
}

}  // namespace samebits
