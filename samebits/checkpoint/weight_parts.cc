#include "samebits/checkpoint/weight_parts.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "samebits/checkpoint/dcp_directory.h"
#include "samebits/checkpoint/dcp_shards.h"
#include "samebits/checkpoint/zero_directory.h"

namespace samebits {
namespace {

constexpr const char* kModelFolder = "pytorch_model_fsdp_";
constexpr const char* kOptimizerFolder = "optimizer_";

bool is_small_number(std::string_view text) {
  return !text.empty() && text.size() <= 4 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// The entries from `first` on: those of a model's state dict, else all.
Candidate candidate_of(const Checkpoint& checkpoint, std::size_t first, const std::string& folder) {
  Candidate candidate;
  candidate.key = folder + ":model";
  const auto add = [&](const std::string& start) {
    for (std::size_t i = first; i < checkpoint.entries.size(); ++i)
      if (checkpoint.entries[i].path.starts_with(start))
        candidate.weights.push_back(static_cast<std::uint32_t>(i));
  };
  add(candidate.key + ".");
  if (!candidate.weights.empty()) return candidate;
  candidate.key = folder;
  add(folder + ":");
  return candidate;
}

Result<void> read_parts_folder(Checkpoint& checkpoint, const std::string& directory,
                               const std::string& folder) {
  const FilePart part{.main = false, .prefix = folder + ":"};
  return read_dcp_part(checkpoint, directory + "/" + folder, part);
}

Result<void> read_fsdp_models(Checkpoint& checkpoint, const std::string& directory,
                              const std::vector<std::string>& folders) {
  checkpoint.kind = CheckpointKind::training_checkpoint;
  for (const std::string& folder : folders) {
    const std::size_t first = checkpoint.entries.size();
    SAMEBITS_TRY_VOID(read_parts_folder(checkpoint, directory, folder));
    if (&folder == folders.data()) {
      Candidate weights = candidate_of(checkpoint, first, folder);
      if (!weights.weights.empty()) checkpoint.candidates.push_back(std::move(weights));
      continue;
    }
    for (std::size_t i = first; i < checkpoint.entries.size(); ++i)
      checkpoint.companions.push_back(static_cast<std::uint32_t>(i));
  }
  return {};
}

}  // namespace

std::vector<std::string> numbered_dcp_folders(const std::string& directory,
                                              const std::string& start) {
  std::map<int, std::string> folders;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with(start) || !is_small_number(name.substr(start.size()))) continue;
    if (is_dcp_directory(directory + "/" + name))
      folders[std::stoi(name.substr(start.size()))] = name;
  }
  std::vector<std::string> names;
  for (auto& [number, name] : folders) names.push_back(std::move(name));
  return names;
}

bool is_fsdp_rank_file(const std::string& name) {
  const std::size_t rank = name.find("_rank");
  const bool begins = name.starts_with("pytorch_model_fsdp") || name.starts_with(kOptimizerFolder);
  return begins && name.ends_with(".bin") && rank != std::string::npos &&
         is_small_number(std::string_view(name).substr(rank + 5, name.size() - rank - 9));
}

bool has_weight_parts(const std::string& directory) {
  return !numbered_dcp_folders(directory, kModelFolder).empty() ||
         find_zero(directory).has_value() || has_dcp_shards(directory);
}

Result<void> read_weight_parts(Checkpoint& checkpoint, const std::string& directory) {
  const std::vector<std::string> folders = numbered_dcp_folders(directory, kModelFolder);
  if (!folders.empty()) return read_fsdp_models(checkpoint, directory, folders);
  if (const std::optional<ZeroFiles> zero = find_zero(directory))
    return read_zero_weights(checkpoint, *zero);
  return read_dcp_shards(checkpoint, directory);
}

Result<void> read_optimizer_folders(Checkpoint& checkpoint, const std::string& directory) {
  for (const std::string& folder : numbered_dcp_folders(directory, kOptimizerFolder)) {
    if (!checkpoint.training.optimizer) checkpoint.training.optimizer = folder;
    SAMEBITS_TRY_VOID(read_parts_folder(checkpoint, directory, folder));
  }
  return {};
}

}  // namespace samebits
