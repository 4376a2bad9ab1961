#include "samebits/checkpoint/resume_state.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/candidates.h"
#include "samebits/checkpoint/dcp_directory.h"
#include "samebits/checkpoint/file_reader.h"
#include "samebits/checkpoint/resume_walk.h"
#include "samebits/checkpoint/torch_files.h"
#include "samebits/checkpoint/weight_parts.h"
#include "samebits/checkpoint/zero_directory.h"
#include "samebits/checkpoint/zero_states.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;

/// A file of a training's directory; `numbered` ones may have "_3" before their ending.
struct ResumeFile {
  std::string_view start, end, role;
  bool numbered = true;
  TensorRole tensors = TensorRole::other;
};
constexpr ResumeFile kResumeFiles[] = {
    {"optimizer", ".pt", "optimizer", false, TensorRole::optimizer},
    {"optimizer", ".bin", "optimizer", true, TensorRole::optimizer},
    {"scheduler", ".pt", "scheduler", false},
    {"scheduler", ".bin", "scheduler"},
    {"scaler", ".pt", "scaler", false},
    {"scaler", ".bin", "scaler"},
    {"rng_state", ".pth", "rng", true, TensorRole::rng},
    {"random_states", ".pkl", "rng", true, TensorRole::rng},
    {"sampler", ".bin", "sampler"},
    {"dl_state_dict", ".bin", "sampler"},
    {"custom_checkpoint", ".pkl", "custom"},
    {"training_args", ".bin", "settings", false},
};

bool is_number_text(std::string_view text) {
  return !text.empty() && text.size() < 8 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

const ResumeFile* resume_file(const std::string& name) {
  for (const ResumeFile& file : kResumeFiles) {
    if (!name.starts_with(file.start) || !name.ends_with(file.end)) continue;
    if (name.size() < file.start.size() + file.end.size()) continue;
    const std::string_view between = std::string_view(name).substr(
        file.start.size(), name.size() - file.start.size() - file.end.size());
    if (between.empty()) return &file;
    if (file.numbered && between[0] == '_' && is_number_text(between.substr(1))) return &file;
  }
  return nullptr;
}

std::vector<std::string> names_inside(const std::string& directory, bool folders) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    std::error_code unknown;
    if (folders ? at->is_directory(unknown) : at->is_regular_file(unknown))
      names.push_back(at->path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

/// Of DeepSpeed's files: weights, and what says where they are.
constexpr const char* kZeroWeights[] = {"module",
                                        "param_shapes",
                                        "frozen_param_shapes",
                                        "frozen_param_fragments",
                                        "buffer_names",
                                        "shared_params",
                                        "universal_checkpoint_info",
                                        "optimizer_state_dict.single_partition_of_fp32_groups",
                                        "optimizer_state_dict.fp32_flat_groups",
                                        "optimizer_state_dict.param_slice_mappings",
                                        "optimizer_state_dict.universal_checkpoint_info"};

/// Other places hold tensors, too: a schedule whose learning rates are tensors.
bool is_model_key(const std::string& key) {
  for (const char* part : {"sched", "scaler", "sampler", "loader", "optim"}) {
    if (key.find(part) != std::string::npos) return false;
  }
  return true;
}

class ResumeReader {
 public:
  explicit ResumeReader(const Checkpoint& opened) : opened_(opened) {
    state_.source.path = opened.path;
    for (const Candidate& candidate : opened.candidates) {
      if (is_model_key(candidate.key)) weights_.push_back(candidate.key);
      if (&candidate != &opened.weights() && is_average_key(candidate.key))
        state_.averages.push_back({candidate.key, nullptr});
    }
  }

  ResumeState read() {
    std::error_code error;
    if (fs::is_directory(opened_.path, error)) {
      read_directory();
    } else {
      read_part(opened_.path, "", "", TensorRole::other);
      state_.framework = framework_of_file();
    }
    for (std::string& sentence : unread_training_parts(opened_.path, read_folders_))
      state_.not_read.push_back(std::move(sentence));
    const bool elsewhere = !state_.zero && state_.framework == TrainingFramework::deepspeed &&
                           state_.optimizers.empty() && state_.not_read.empty();
    if (elsewhere)
      state_.not_read.push_back(opened_.path +
                                ": DeepSpeed ZeRO keeps the optimizer's state in *_optim_states.pt "
                                "of all ranks, which are not read");
    return std::move(state_);
  }

 private:
  void read_part(const std::string& path, const std::string& prefix, const std::string& role,
                 TensorRole tensors) {
    Result<std::shared_ptr<const MappedFile>> map = MappedFile::open(path);
    if (!map) return state_.source.unread.push_back(std::move(map).error());
    state_.source.files.push_back({path, "", *map});
    FilePart part{.file = static_cast<std::uint32_t>(state_.source.files.size() - 1),
                  .main = false,
                  .prefix = prefix,
                  .role = tensors};
    part.then = [&](const Checkpoint& source, const TorchObject& object) {
      collect_resume_parts(state_, source, object, role, weights_);
      if (state_.zero) note_partition(zero_partition_state(object.tree, object.root));
    };
    // A file without any pickle (safetensors, npz) has nothing of a training beside its weights.
    const Result<void> read = read_file(state_.source, part);
    if (!read && !prefix.empty()) state_.source.unread.push_back(read.error());
  }

  void note_partition(const ZeroPartitionState& partition) {
    if (partition.stage) state_.zero->stage = *partition.stage;
    state_.zero->written = std::max(state_.zero->written, partition.partitions);
  }

  /// A distributed checkpoint: the directory itself (""), or a folder in it.
  void read_distributed(const std::string& folder) {
    const std::string path = folder.empty() ? opened_.path : opened_.path + "/" + folder;
    FilePart part{.main = false, .prefix = folder.empty() ? "" : folder + ":"};
    part.then = [&](const Checkpoint& source, const TorchObject& object) {
      collect_resume_parts(state_, source, object, "", weights_);
    };
    read_folders_.insert(folder.empty() ? "." : folder);
    if (const Result<void> read = read_dcp_part(state_.source, path, part); !read)
      state_.source.unread.push_back(read.error());
  }

  void read_all_distributed() {
    if (is_dcp_directory(opened_.path)) {
      state_.framework = TrainingFramework::dcp;
      read_distributed("");
    }
    for (const std::string& folder : numbered_dcp_folders(opened_.path, "optimizer_"))
      read_distributed(folder);
    for (const std::string& folder : numbered_dcp_folders(opened_.path, "pytorch_model_fsdp_"))
      read_folders_.insert(folder);  // open_checkpoint() read them
  }

  void read_zero() {
    const std::optional<ZeroFiles> files = find_zero(opened_.path);
    if (!files) return;
    read_folders_.insert(files->tag.empty() ? "." : files->tag);
    const TrainingFramework around = state_.framework;
    for (const char* part : kZeroWeights) weights_.emplace_back(part);
    const auto read = [&](const std::string& name, TensorRole role) {
      read_part(files->folder + "/" + name, name + ":", "", role);
    };
    if (!files->models.empty()) read(files->models[0], TensorRole::other);
    state_.zero = {.place = files->tag, .names = files->partitions};
    if (files->tag.empty() && !files->partitions.empty()) state_.zero->place = files->partitions[0];
    for (std::size_t i = 0; i < files->partitions.size(); ++i) {
      if (i == kLimits.side_files) return note_many(files->partitions[i]);
      read(files->partitions[i], TensorRole::optimizer);
    }
    if (files->partitions.empty()) state_.zero.reset();
    if (around != TrainingFramework::plain) state_.framework = around;
  }

  void read_directory() {
    std::size_t taken = 0;
    read_all_distributed();
    for (const std::string& name : names_inside(opened_.path, false)) {
      const ResumeFile* file = resume_file(name);
      if (file == nullptr) continue;
      if (++taken > kLimits.side_files) return note_many(name);
      const std::string path = (fs::path(opened_.path) / name).string();
      read_part(path, name + ":", std::string(file->role), file->tensors);
      if (name.starts_with("random_states")) state_.framework = TrainingFramework::accelerate;
    }
    // One file of its own in a folder is read as that file.
    if (taken == 0 && opened_.files.size() == 1)
      read_part(opened_.files[0].path, "", "", TensorRole::other);
    read_zero();
    if (taken == 0) state_.framework = framework_of_file();
    read_trainer_state();
  }

  void note_many(const std::string& name) {
    state_.source.unread.push_back({.code = ErrorCode::limit,
                                    .what = "many files of a training lie in the directory",
                                    .file = (fs::path(opened_.path) / name).string(),
                                    .expected = std::to_string(kLimits.side_files) + " at most",
                                    .hint = "This one and those after it were not read"});
  }

  void read_trainer_state() {
    const std::string path = (fs::path(opened_.path) / "trainer_state.json").string();
    std::error_code error;
    if (!fs::exists(path, error)) return;
    state_.framework = TrainingFramework::trainer;
    Result<std::shared_ptr<const MappedFile>> map = MappedFile::open(path);
    if (!map) return;  // open_checkpoint() says so
    state_.source.files.push_back({path, "json", *map});
    Result<Json> json = parse_json((*map)->bytes(), path);
    if (!json || !json->is_object()) return;
    state_.trainer = std::move(*json);
    for (const auto& [field, where] :
         {std::pair("epoch", &state_.epochs), std::pair("global_step", &state_.steps)}) {
      const auto found = state_.trainer.find(field);
      if (found != state_.trainer.end() && found->is_number())
        where->push_back({std::string("trainer_state.json:") + field, *found});
    }
  }

  TrainingFramework framework_of_file() const {
    if (opened_.kind == CheckpointKind::lightning) return TrainingFramework::lightning;
    return state_.framework;
  }

  const Checkpoint& opened_;
  ResumeState state_;
  std::vector<std::string> weights_;
  std::set<std::string> read_folders_;  // "." is the directory itself
};

bool is_zero_part(const std::string& name) { return name.ends_with("_optim_states.pt"); }

void note_folders(const std::string& path, const std::set<std::string>& read,
                  std::vector<std::string>& sentences) {
  for (const std::string& folder : names_inside(path, true)) {
    if (read.contains(folder)) continue;
    const std::string inner = (fs::path(path) / folder).string();
    const std::vector<std::string> names = names_inside(inner, false);
    const auto parts = std::ranges::count_if(names, is_zero_part);
    const bool distributed =
        std::ranges::any_of(names, [](const std::string& n) { return n.ends_with(".distcp"); });
    if (parts > 0)
      sentences.push_back(
          fmt::format("{}: {} of DeepSpeed ZeRO, whose optimizer state is not read", inner,
                      parts == 1 ? "a partition" : fmt::format("{} partitions", parts)));
    else if (distributed)
      sentences.push_back(inner +
                          ": a distributed checkpoint (DCP, as FSDP writes it), which is "
                          "not read");
  }
}

}  // namespace

std::vector<std::string> unread_training_parts(const std::string& path,
                                               const std::set<std::string>& read) {
  std::vector<std::string> sentences;
  std::error_code error;
  const bool directory = fs::is_directory(path, error);
  const std::string parent = directory ? path : fs::path(path).parent_path().string();
  const std::string folder = parent.empty() ? "." : parent;
  const std::vector<std::string> names = names_inside(folder, false);
  const bool is_zero_file = path.ends_with("_model_states.pt") || is_zero_part(path);
  const auto parts = std::ranges::count_if(names, is_zero_part);
  const bool own = directory && !read.contains(".");
  if (parts > 0 && (own || is_zero_file))
    sentences.push_back(
        fmt::format("{}: {} of DeepSpeed ZeRO ({}), whose optimizer state is not read", folder,
                    parts == 1 ? "a partition" : fmt::format("{} partitions", parts),
                    *std::ranges::find_if(names, is_zero_part)));
  if (path.ends_with(".distcp"))
    sentences.push_back(path + ": a shard of a distributed checkpoint (DCP), which is not read");
  if (const auto rank = std::ranges::find_if(names, is_fsdp_rank_file);
      directory && rank != names.end())
    sentences.push_back(fmt::format(
        "{}: files of single ranks of FSDP ({}), which are not put together", folder, *rank));
  const bool distributed = std::ranges::any_of(
      names, [](const std::string& n) { return n.ends_with(".distcp") || n == ".metadata"; });
  if (own && distributed)
    sentences.push_back(path +
                        ": a distributed checkpoint (DCP, as FSDP writes it), which is not read");
  if (directory) note_folders(path, read, sentences);
  return sentences;
}

ResumeState read_resume_state(const Checkpoint& opened) { return ResumeReader(opened).read(); }

}  // namespace samebits
