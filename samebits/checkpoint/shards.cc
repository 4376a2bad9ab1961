#include "samebits/checkpoint/shards.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include <fmt/format.h>

#include "samebits/checkpoint/lost_shards.h"
#include "samebits/checkpoint/torch_files.h"

namespace samebits {
namespace {

/// "model-00001-of-00002.safetensors" and the like.
bool looks_like_shard(const std::string& name) {
  const std::size_t of = name.find("-of-");
  return of != std::string::npos && of >= 5 &&
         (name.ends_with(".safetensors") || name.ends_with(".bin")) &&
         (name.starts_with("model-") || name.starts_with("pytorch_model-"));
}

constexpr const char* kWriteIndex =
    "Write the index anew: its weight_map is to give each tensor the shard that holds it";

/// Tensors that stand in no shard of the index, though it gives them one.
Error lost_tensors(const std::string& path, const std::set<std::string>& names,
                   const ShardNames& shards) {
  const std::string& first = *names.begin();
  Error error{
      .code = ErrorCode::inconsistent,
      .what = fmt::format("the index says that {} in this shard, and no shard that it names "
                          "holds {}",
                          names.size() == 1
                              ? first + " is"
                              : fmt::format("{} tensors, {} among them, are", names.size(), first),
                          names.size() == 1 ? "it" : "them"),
      .file = path,
      .hint = "The index and the shards come from different saves"};
  const std::string directory = std::filesystem::path(path).parent_path().string();
  if (const auto [orphan, held] = find_orphan(directory, names, shards); !orphan.empty())
    error.hint = fmt::format("{}, which the index does not name, holds {} of them. {}", orphan,
                             held, kWriteIndex);
  return error;
}

}  // namespace

bool is_variant_index(const std::string& name) {
  return (name.starts_with("model.safetensors.index.") ||
          name.starts_with("pytorch_model.bin.index.")) &&
         name.ends_with(".json") && !name.ends_with(".index.json");
}

bool is_variant_bin(const std::string& name) {
  return name.starts_with("pytorch_model.") && name.ends_with(".bin") &&
         name.size() > std::string_view("pytorch_model..bin").size();
}

bool is_index(const std::string& name) {
  return name.ends_with(".index.json") || is_variant_index(name);
}

bool begin_alike(const StoredTensor& a, const StoredTensor& b) {
  if (!a.readable || !b.readable) return true;
  if (a.view.dtype() != b.view.dtype() || a.view.shape() != b.view.shape()) return false;
  const std::uint64_t count = std::min<std::uint64_t>(a.view.numel(), 4096);
  std::vector<std::uint8_t> first;
  std::vector<std::uint8_t> second;
  return std::ranges::equal(a.view.row_major_range(0, count, first),
                            b.view.row_major_range(0, count, second));
}

bool have_equal_values(const StoredTensor& a, const StoredTensor& b) {
  if (!a.readable || !b.readable || a.view.dtype() != b.view.dtype() ||
      a.view.shape() != b.view.shape())
    return false;
  constexpr std::uint64_t kBlock = 1 << 16;
  std::vector<std::uint8_t> first;
  std::vector<std::uint8_t> second;
  for (std::uint64_t at = 0; at < a.view.numel(); at += kBlock) {
    const std::uint64_t count = std::min(kBlock, a.view.numel() - at);
    if (!std::ranges::equal(a.view.row_major_range(at, count, first),
                            b.view.row_major_range(at, count, second)))
      return false;
  }
  return true;
}

void add_unreadable_tensor(Checkpoint& checkpoint, const std::string& name) {
  StoredTensor tensor;
  tensor.path = name;
  tensor.role = TensorRole::weight;
  tensor.readable = false;
  tensor.absent = true;
  tensor.note = "its shard is missing or does not hold it";
  tensor.storage = next_storage_id(checkpoint);
  checkpoint.entries.push_back(std::move(tensor));
}

std::string ShardReport::file_name(std::uint32_t file) const {
  return std::filesystem::path(out_.files[file].path).filename().string();
}

void ShardReport::add(Oddity::Kind kind, std::string summary, std::string tensor,
                      std::string remedy) {
  Oddity oddity{.kind = kind, .summary = std::move(summary), .remedy = std::move(remedy)};
  if (!tensor.empty()) oddity.tensors.push_back(std::move(tensor));
  out_.oddities.push_back(std::move(oddity));
}

void ShardReport::check_index(const Json& index, const std::string& index_name,
                              const ShardNames& shards) {
  if (!index.contains("metadata"))
    add(Oddity::Kind::refused,
        "from_pretrained refuses this directory: " + index_name + " has no metadata (KeyError)",
        "");
  std::map<std::string, std::set<std::string>> holders;  // name -> files
  for (const StoredTensor& tensor : out_.entries)
    if (tensor.readable) holders[tensor.path].insert(file_name(tensor.file));
  std::set<std::string> named, lost;
  for (const auto& [shard, names] : shards) {
    std::set<std::string> missing;
    named.insert(names.begin(), names.end());
    const std::string path = directory_ + "/" + shard;
    if (std::ranges::none_of(out_.files, [&](const SourceFile& f) { return f.path == path; }))
      continue;  // a missing shard, which has been said
    for (const std::string& name : names) {
      const auto found = holders.find(name);
      if (found == holders.end()) {
        missing.insert(name);
        add_unreadable_tensor(out_, name);
      } else if (!found->second.contains(std::filesystem::path(shard).filename().string())) {
        add(Oddity::Kind::incomplete,
            fmt::format("the index says that {} is in {}; it is in {}, and from_pretrained takes "
                        "it from there",
                        name, shard, *found->second.rbegin()),
            name);
      }
    }
    if (!missing.empty()) out_.unread.push_back(lost_tensors(path, missing, shards));
    lost.merge(missing);
  }
  for (const auto& [name, files] : holders)
    if (!named.contains(name))
      add(Oddity::Kind::incomplete,
          fmt::format("{} is in {}, and the index does not name it: transformers "
                      "5.24.0 loads it, 4.57.6 leaves that weight at random values",
                      name, *files.rbegin()),
          name);
  find_strays(shards, lost);
}

void ShardReport::find_strays(const ShardNames& shards, const std::set<std::string>& lost) {
  std::error_code error;
  std::set<std::string> strays;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, error)) {
    const std::string name = entry.path().filename().string();
    const bool same_type = std::ranges::any_of(shards, [&](const auto& shard) {
      return std::filesystem::path(shard.first).extension() == entry.path().extension();
    });
    if (looks_like_shard(name) && same_type && !shards.contains(name)) strays.insert(name);
  }
  const bool holds_lost = !lost.empty() && !find_orphan(directory_, lost, shards).first.empty();
  for (const std::string& name : strays)
    add(Oddity::Kind::incomplete,
        "the shard " + name +
            " is in the directory, and the index does not name it; it is not "
            "loaded",
        "", holds_lost ? kWriteIndex : "");
}

void ShardReport::take_last_of_doubled() {
  std::map<std::string, std::size_t> last;
  for (std::size_t i = 0; i < out_.entries.size(); ++i) last[out_.entries[i].path] = i;
  std::vector<StoredTensor> kept;
  for (std::size_t i = 0; i < out_.entries.size(); ++i) {
    StoredTensor& tensor = out_.entries[i];
    const StoredTensor& taken = out_.entries[last[tensor.path]];
    if (&tensor == &taken) continue;
    const bool equal = have_equal_values(tensor, taken);
    add(equal ? Oddity::Kind::duplicate_tensors : Oddity::Kind::incomplete,
        fmt::format("{} is in {} and in {}, {}; from_pretrained takes the latter", tensor.path,
                    file_name(tensor.file), file_name(taken.file),
                    equal ? "with equal values" : "with unlike values"),
        tensor.path);
  }
  for (std::size_t i = 0; i < out_.entries.size(); ++i)
    if (last[out_.entries[i].path] == i) kept.push_back(std::move(out_.entries[i]));
  out_.entries = std::move(kept);
}

}  // namespace samebits
