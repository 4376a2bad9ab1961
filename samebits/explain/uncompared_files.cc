#include "samebits/explain/uncompared_files.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>

#include <fmt/format.h>

#include "samebits/base/mapped_file.h"
#include "samebits/checkpoint/companions.h"
#include "samebits/explain/settings_findings.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFiles = 10'000;

bool may_hold_weights(const fs::path& path) {
  constexpr auto kEndings = std::to_array<std::string_view>(
      {".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".npz", ".gguf", ".msgpack", ".h5"});
  return std::ranges::find(kEndings, path.extension().string()) != kEndings.end();
}

bool may_move_outputs(const fs::path& path) {
  return may_hold_weights(path) || path.extension() == ".json";
}

/// "1_Pooling": what sentence-transformers calls the folder of a module behind the model.
bool is_module_folder(const std::string& folder) {
  const std::size_t digits = folder.find_first_not_of("0123456789");
  return digits != 0 && digits != std::string::npos && folder[digits] == '_' &&
         folder.find('/') == std::string::npos;
}

bool lies_in_module_folder(const std::string& name) {
  return is_module_folder(fs::path(name).parent_path().string());
}

/// Files that no reader opened, by their paths in the directory: all of its own, and of folders two
/// levels deep those of which `is_meant` says so. Candidates that were not chosen are named
/// elsewhere.
std::set<std::string> unread_files(const Checkpoint& checkpoint,
                                   bool (*is_meant)(const fs::path&)) {
  constexpr int kDeepest = 2;
  std::set<std::string> known;
  for (const SourceFile& file : checkpoint.files)
    known.insert(fs::path(file.path).lexically_relative(checkpoint.path).string());
  for (const Candidate& candidate : checkpoint.candidates) known.insert(candidate.key);
  std::set<std::string> names;
  std::error_code error;
  for (fs::recursive_directory_iterator
           at(checkpoint.path, fs::directory_options::follow_directory_symlink, error),
       end;
       !error && at != end && names.size() < kMostFiles; at.increment(error)) {
    const std::string name = at->path().lexically_relative(checkpoint.path).string();
    std::error_code unknown;
    const bool hidden = at->path().filename().string().starts_with('.');
    if (hidden || at.depth() >= kDeepest) at.disable_recursion_pending();
    if (hidden || known.contains(name) || !at->is_regular_file(unknown)) continue;
    if (at.depth() == 0 || is_meant(at->path())) names.insert(name);
  }
  return names;
}

/// What samebits lock writes, under whatever name: it says what the weights are, and is compared by
/// verify.
bool is_lock_file(const Checkpoint& checkpoint, const std::string& name) {
  constexpr std::uint64_t kFirstBytes = 64;
  const auto file = MappedFile::open((fs::path(checkpoint.path) / name).string());
  if (!file) return false;
  const Bytes bytes = (*file)->bytes();
  const std::string_view front =
      as_text(bytes.first(std::min<std::uint64_t>(kFirstBytes, bytes.size())));
  return front.find("\"schema\": \"samebits.lock/") != std::string_view::npos;
}

bool lies_in(const Checkpoint& checkpoint, const std::string& name) {
  std::error_code error;
  return fs::exists(fs::path(checkpoint.path) / name, error);
}

enum class FilePair : std::uint8_t { equal, unlike, uncertain };

/// Two files of this name, by their bytes.
FilePair compare_file(const Subject& a, const Subject& b, const std::string& name) {
  constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 20U;
  const auto left = MappedFile::open((fs::path(a.checkpoint->path) / name).string());
  const auto right = MappedFile::open((fs::path(b.checkpoint->path) / name).string());
  if (!left || !right) return FilePair::uncertain;
  if ((*left)->size() != (*right)->size()) return FilePair::unlike;
  if ((*left)->size() > kMostBytes) return FilePair::uncertain;
  return std::ranges::equal((*left)->bytes(), (*right)->bytes()) ? FilePair::equal
                                                                 : FilePair::unlike;
}

void compare_files(const Subject& a, const Subject& b, std::vector<std::string>* details,
                   std::vector<std::string>* uncertain) {
  std::set<std::string> names = unread_files(*a.checkpoint, may_move_outputs);
  names.merge(unread_files(*b.checkpoint, may_move_outputs));
  for (const std::string& name : names) {
    const bool in_a = lies_in(*a.checkpoint, name);
    const bool in_b = lies_in(*b.checkpoint, name);
    const bool locks = (!in_a || is_lock_file(*a.checkpoint, name)) &&
                       (!in_b || is_lock_file(*b.checkpoint, name));
    if (locks) continue;
    if (!in_a || !in_b) {
      details->push_back(fmt::format("{} stands only in {}", name, in_a ? a.label : b.label));
      continue;
    }
    if (is_settings_file(name)) continue;
    const FilePair pair = compare_file(a, b, name);
    if (pair == FilePair::unlike) details->push_back(name + " differs");
    if (pair == FilePair::uncertain) uncertain->push_back(name);
  }
}

/// What save_model of safetensors writes: another name of a tensor of the file. It is taken with
/// the weights.
bool is_alias(const Checkpoint& checkpoint, const Json& value) {
  return value.is_string() &&
         std::ranges::any_of(checkpoint.entries, [&](const StoredTensor& tensor) {
           return tensor.name == value.get_ref<const std::string&>();
         });
}

std::map<std::string, Json> metadata_of(const Checkpoint& checkpoint) {
  std::map<std::string, Json> metadata;
  const Json& producer = checkpoint.producer;
  if (!producer.is_object() || !producer.contains("metadata")) return metadata;
  if (!producer["metadata"].is_object()) return metadata;
  for (const auto& [name, value] : producer["metadata"].items())
    if (!is_alias(checkpoint, value)) metadata[name] = value;
  return metadata;
}

void compare_metadata(const Subject& a, const Subject& b, std::vector<std::string>* details) {
  constexpr std::size_t kMostText = 40;
  const std::map<std::string, Json> left = metadata_of(*a.checkpoint);
  const std::map<std::string, Json> right = metadata_of(*b.checkpoint);
  std::set<std::string> names;
  for (const auto* side : {&left, &right})
    for (const auto& [name, value] : *side) names.insert(name);
  names.erase("format");  // the library that wrote it
  for (const std::string& name : names) {
    const auto x = left.find(name);
    const auto y = right.find(name);
    const std::string what = "the metadata entry " + name;
    if (x == left.end() || y == right.end()) {
      details->push_back(what + " stands only in " + (x == left.end() ? b.label : a.label));
    } else if (x->second != y->second) {
      const std::string in_a = json_text(x->second);
      const std::string in_b = json_text(y->second);
      details->push_back(
          in_a.size() > kMostText || in_b.size() > kMostText
              ? what + " differs"
              : fmt::format("{}: {} in {}, {} in {}", what, in_a, a.label, in_b, b.label));
    }
  }
}

/// What prepares inputs, in one directory alone.
void note_processor_of_one(const Subject& a, const Subject& b, std::vector<std::string>* details) {
  const bool in_a = a.checkpoint->preprocessing.is_object();
  if (in_a == b.checkpoint->preprocessing.is_object()) return;
  const Subject& owner = in_a ? a : b;
  for (const SourceFile& file : owner.checkpoint->files) {
    const std::string name = fs::path(file.path).filename().string();
    if (name.ends_with("processor_config.json"))
      details->push_back(fmt::format("{} stands only in {}", name, owner.label));
  }
}

/// "teacher, checkpoint-20": folders of a directory in which files lie that may hold weights, and
/// that no reader opened.
std::vector<std::string> folders_of_weights(const Checkpoint& checkpoint) {
  std::set<std::string> folders;
  for (const std::string& name : unread_files(checkpoint, may_hold_weights)) {
    const std::string folder = fs::path(name).parent_path().string();
    if (!folder.empty()) folders.insert(folder);
  }
  return {folders.begin(), folders.end()};
}

bool is_directory(const Subject& subject) {
  return subject.checkpoint->kind == CheckpointKind::hf_directory;
}

}  // namespace

void find_module_folder_changes(Report& report, const Subject& a, const Subject& b) {
  if (!is_directory(a) || !is_directory(b)) return;
  if (lists_modules_behind(*a.checkpoint) || lists_modules_behind(*b.checkpoint)) return;
  std::set<std::string> names = unread_files(*a.checkpoint, may_move_outputs);
  names.merge(unread_files(*b.checkpoint, may_move_outputs));
  for (const std::string& name : names) {
    const bool both = lies_in(*a.checkpoint, name) && lies_in(*b.checkpoint, name);
    if (!both || !lies_in_module_folder(name) || compare_file(a, b, name) == FilePair::equal)
      continue;
    add_gap(report,
            fmt::format("{} and {}: {} differs, a module behind the model for a library that reads "
                        "that folder; no modules.json says whether it is one",
                        a.label, b.label, name),
            Gap::open);
  }
}

std::vector<std::string> unread_models_below(const Checkpoint& checkpoint) {
  if (checkpoint.kind != CheckpointKind::hf_directory) return {};
  return folders_of_weights(checkpoint);
}

void compare_unread_files(const Subject& a, const Subject& b, std::vector<std::string>* details,
                          std::vector<std::string>* uncertain) {
  if (is_directory(a) && is_directory(b)) {
    note_processor_of_one(a, b, details);
    compare_files(a, b, details, uncertain);
  }
  // What is no directory has no folder to hold them against.
  for (const Subject* subject : {&a, &b}) {
    if (is_directory(a) == is_directory(b)) break;
    for (const std::string& folder : unread_models_below(*subject->checkpoint))
      details->push_back(fmt::format("the weights in {} stand only in {}", folder, subject->label));
  }
  compare_metadata(a, b, details);
}

}  // namespace samebits
