#include "samebits/checkpoint/companions.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "samebits/checkpoint/byte_account.h"
#include "samebits/checkpoint/file_reader.h"
#include "samebits/checkpoint/torch_files.h"
#include "samebits/tensor/digest.h"

namespace samebits {
namespace {

struct CompanionName {
  std::string_view start, end;
};
constexpr CompanionName kCompanionNames[] = {
    {"model_", ".safetensors"}, {"pytorch_model_", ".bin"}, {"custom_checkpoint_", ".pkl"}};

const std::string kModuleList = "modules.json";

/// The number of "model_1.safetensors".
std::optional<int> number_of(const std::string& name, const CompanionName& like) {
  if (!name.starts_with(like.start) || !name.ends_with(like.end) ||
      name.size() <= like.start.size() + like.end.size())
    return std::nullopt;
  const std::string digits =
      name.substr(like.start.size(), name.size() - like.start.size() - like.end.size());
  if (digits.size() > 4 ||
      !std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  return std::stoi(digits);
}

bool is_file_there(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error);
}

/// A folder of the directory itself: no path that leads out of it.
bool is_plain_folder(const std::string& path) {
  return !path.empty() && path.find_first_of("/\\") == std::string::npos && path[0] != '.';
}

/// What modules.json lists: folders of the modules that follow the model, in their order.
std::vector<std::string> module_folders(const Json& modules) {
  std::vector<std::string> folders;
  if (!modules.is_array()) return folders;
  for (const Json& module : modules) {
    if (!module.is_object() || !module.contains("path") || !module["path"].is_string()) continue;
    const auto& path = module["path"].get_ref<const std::string&>();
    if (is_plain_folder(path)) folders.push_back(path);
  }
  return folders;
}

/// Every leaf of a JSON file as a value that is loaded.
void add_leaves(Checkpoint& checkpoint, const std::string& path, const Json& json) {
  if (json.is_structured() && !json.empty()) {
    for (const auto& [key, value] : json.items()) add_leaves(checkpoint, path + "." + key, value);
    return;
  }
  const std::string text = json_text(json);
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  checkpoint.values.push_back(
      {.path = path, .loaded = true, .text = text, .digest = sha256_hex(bytes)});
}

Result<Json> read_json_file(Checkpoint& checkpoint, const std::string& directory,
                            const std::string& name) {
  SAMEBITS_TRY(auto map, MappedFile::open(directory + "/" + name));
  checkpoint.files.push_back({directory + "/" + name, "json", std::move(map)});
  const auto file = static_cast<std::uint32_t>(checkpoint.files.size() - 1);
  const SourceFile& source = checkpoint.files[file];
  use_bytes(checkpoint, file, 0, source.map->size(), ByteUse::structure);
  return parse_json(source.map->bytes(), source.path);
}

Result<void> read_folder(Checkpoint& checkpoint, const std::string& directory,
                         const std::string& folder) {
  for (const char* weights : {"model.safetensors", "pytorch_model.bin"}) {
    const std::string name = folder + "/" + weights;
    if (!is_file_there(directory + "/" + name)) continue;
    SAMEBITS_TRY_VOID(read_companion(checkpoint, directory, name));
    break;
  }
  const std::string config = folder + "/config.json";
  if (!is_file_there(directory + "/" + config)) return {};
  SAMEBITS_TRY(const Json fields, read_json_file(checkpoint, directory, config));
  for (const auto& [key, value] : fields.items()) add_leaves(checkpoint, config + ":" + key, value);
  return {};
}

}  // namespace

bool is_of_module_behind(std::string_view path) {
  const std::size_t end = path.find(':');
  if (end == std::string_view::npos) return false;
  const std::string_view file = path.substr(0, end);
  return file == kModuleList || file.find('/') != std::string_view::npos;
}

bool lists_modules_behind(const Checkpoint& checkpoint) {
  return std::ranges::any_of(checkpoint.values, [](const StoredValue& value) {
    return value.loaded && is_of_module_behind(value.path);
  });
}

void read_modules_behind(Checkpoint& checkpoint, const std::string& directory) {
  if (!is_file_there(directory + "/" + kModuleList)) return;
  const Result<Json> modules = read_json_file(checkpoint, directory, kModuleList);
  if (!modules) return checkpoint.unread.push_back(modules.error());
  for (std::size_t i = 0; modules->is_array() && i < modules->size(); ++i)
    add_leaves(checkpoint, fmt::format("{}:{}", kModuleList, i), (*modules)[i]);
  for (const std::string& folder : module_folders(*modules)) {
    if (Result<void> read = read_folder(checkpoint, directory, folder); !read)
      checkpoint.unread.push_back(std::move(read).error());
  }
}

std::vector<std::string> companion_files(const std::string& directory) {
  std::map<std::pair<std::size_t, int>, std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    for (std::size_t i = 0; i < std::size(kCompanionNames); ++i) {
      if (const auto number = number_of(name, kCompanionNames[i])) found[{i, *number}] = name;
    }
  }
  std::vector<std::string> names;
  for (auto& [order, name] : found) names.push_back(std::move(name));
  return names;
}

Result<void> read_companion(Checkpoint& checkpoint, const std::string& directory,
                            const std::string& name) {
  const std::string path = directory + "/" + name;
  SAMEBITS_TRY(auto map, MappedFile::open(path));
  Checkpoint part;
  part.path = path;
  part.files.push_back({path, "", std::move(map)});
  SAMEBITS_TRY_VOID(read_file(part, {.file = 0, .main = true}));
  checkpoint.files.push_back(part.files[0]);
  const auto file = static_cast<std::uint32_t>(checkpoint.files.size() - 1);
  const std::uint32_t first_storage = next_storage_id(checkpoint);
  for (StoredTensor& tensor : part.entries) {
    tensor.file = file;
    tensor.storage += first_storage;
    tensor.path = name + ":" + tensor.path;
    tensor.name.clear();
    checkpoint.companions.push_back(static_cast<std::uint32_t>(checkpoint.entries.size()));
    checkpoint.entries.push_back(std::move(tensor));
  }
  for (StoredValue& value : part.values) {
    value.path = name + ":" + value.path;
    value.loaded = true;
    checkpoint.values.push_back(std::move(value));
  }
  for (CallSummary& call : part.calls) {
    call.file = file;
    checkpoint.calls.push_back(std::move(call));
  }
  for (const ByteRange& range : part.bytes)
    use_bytes(checkpoint, file, range.begin, range.end, range.use);
  checkpoint.imports.insert(checkpoint.imports.end(), part.imports.begin(), part.imports.end());
  checkpoint.unusual_imports.insert(checkpoint.unusual_imports.end(), part.unusual_imports.begin(),
                                    part.unusual_imports.end());
  checkpoint.owned.insert(checkpoint.owned.end(), part.owned.begin(), part.owned.end());
  checkpoint.unread.insert(checkpoint.unread.end(), part.unread.begin(), part.unread.end());
  return {};
}

}  // namespace samebits
