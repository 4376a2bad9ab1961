#include "samebits/checkpoint/companions.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "samebits/checkpoint/byte_account.h"
#include "samebits/checkpoint/file_reader.h"
#include "samebits/checkpoint/torch_files.h"

namespace samebits {
namespace {

struct CompanionName {
  std::string_view start, end;
};
constexpr CompanionName kCompanionNames[] = {
    {"model_", ".safetensors"}, {"pytorch_model_", ".bin"}, {"custom_checkpoint_", ".pkl"}};

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

}  // namespace

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
