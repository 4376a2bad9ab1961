#include "samebits/checkpoint/dcp_shards.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "samebits/base/bytes.h"
#include "samebits/checkpoint/safetensors_files.h"
#include "samebits/checkpoint/tensor_pieces.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOffsetsKey = "DCP_SHARDING_INFO";

/// Under which part of a name people keep a model, the preferred first.
constexpr auto kModelParts = std::to_array<std::string_view>(
    {"state_dict", "model_state_dict", "model", "module", "net", "network", "weights", "ema"});

/// "shard-00001-model-00001-of-00001.safetensors": digits stand where the pattern has a 0.
bool is_dcp_shard_name(std::string_view name) {
  constexpr std::string_view kPattern = "shard-00000-model-00000-of-00000.safetensors";
  return name.size() == kPattern.size() &&
         std::ranges::equal(name, kPattern, [](char c, char expected) {
           return expected == '0' ? c >= '0' && c <= '9' : c == expected;
         });
}

std::vector<std::string> dcp_shards_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error))
    if (std::string name = at->path().filename().string(); is_dcp_shard_name(name))
      names.push_back(std::move(name));
  std::ranges::sort(names);
  return names;
}

using Offsets = std::map<std::string, Shape>;  // of the parts in one file, by tensor

std::optional<Shape> shape_in(const Json& part) {
  if (!part.is_object() || !part.contains("saved_offsets")) return std::nullopt;
  const Json& list = part["saved_offsets"];
  if (!list.is_array()) return std::nullopt;
  Shape offsets;
  for (const Json& offset : list) {
    if (!offset.is_number_integer() || offset.get<std::int64_t>() < 0) return std::nullopt;
    offsets.push_back(offset.get<std::int64_t>());
  }
  return offsets;
}

/// Nothing where the file says none. Takes the text out of the metadata that inspect shows.
Result<Offsets> take_offsets(Checkpoint& checkpoint, std::uint32_t file) {
  Offsets offsets;
  if (checkpoint.producer.is_null() || !checkpoint.producer.contains("metadata")) return offsets;
  Json& metadata = checkpoint.producer["metadata"];
  const auto found = metadata.find(kOffsetsKey);
  if (found == metadata.end() || !found->is_string()) return offsets;
  const std::string text = found->get<std::string>();
  const std::string& path = checkpoint.files[file].path;
  SAMEBITS_TRY(const Json parts,
               parse_json({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, path));
  const auto malformed = [&](const std::string& found_there) {
    return fail({.code = ErrorCode::malformed,
                 .what = std::string("its metadata ") + kOffsetsKey + " does not say offsets",
                 .file = path,
                 .expected = R"({"NAME": {"saved_offsets": [0, ...]}})",
                 .found = found_there});
  };
  if (!parts.is_object()) return malformed(parts.type_name());
  for (const auto& [name, part] : parts.items()) {
    std::optional<Shape> begin = shape_in(part);
    if (!begin) return malformed(name);
    offsets.emplace(name, *std::move(begin));
  }
  metadata.erase(kOffsetsKey);
  return offsets;
}

/// One part of a tensor, in one file.
struct Part {
  StoredTensor stored;
  Shape offsets;
};

/// Where the last part ends, in each dimension. Nothing where the parts do not fit together.
std::optional<Shape> whole_shape(const std::vector<Part>& parts) {
  Shape whole(parts[0].stored.view.shape().size());
  for (const Part& part : parts) {
    const Shape& size = part.stored.view.shape();
    if (size.size() != whole.size() || part.offsets.size() != whole.size() ||
        part.stored.view.dtype() != parts[0].stored.view.dtype())
      return std::nullopt;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      std::int64_t end = 0;
      if (__builtin_add_overflow(part.offsets[i], size[i], &end)) return std::nullopt;
      whole[i] = std::max(whole[i], end);
    }
  }
  return whole;
}

class ShardsReader {
 public:
  ShardsReader(Checkpoint& checkpoint, const std::string& directory)
      : out_(checkpoint), directory_(directory) {}

  Result<void> read() {
    out_.kind = CheckpointKind::training_checkpoint;
    for (const std::string& name : dcp_shards_in(directory_)) SAMEBITS_TRY_VOID(read_shard(name));
    for (std::vector<Part>& parts : tensors_) {
      if (Result<void> joined = join(parts); !joined) {
        out_.unread.push_back(std::move(joined).error());
        parts[0].stored.readable = false;
        parts[0].stored.absent = true;
      }
      out_.entries.push_back(std::move(parts[0].stored));
    }
    add_dcp_candidates(out_);
    return {};
  }

 private:
  Result<void> read_shard(const std::string& name) {
    const std::string path = directory_ + "/" + name;
    SAMEBITS_TRY(auto map, MappedFile::open(path));
    out_.files.push_back({path, "", std::move(map)});
    const auto file = static_cast<std::uint32_t>(out_.files.size() - 1);
    const std::size_t first = out_.entries.size();
    SAMEBITS_TRY_VOID(add_safetensors(out_, file));
    SAMEBITS_TRY(Offsets offsets, take_offsets(out_, file));
    for (std::size_t i = first; i < out_.entries.size(); ++i) {
      Part part{.stored = std::move(out_.entries[i]), .offsets = {}};
      const auto own = offsets.find(part.stored.path);
      part.offsets = own == offsets.end() ? Shape(part.stored.view.shape().size(), 0) : own->second;
      part.stored.role = dcp_role(part.stored.path);
      part.stored.storage = next_storage_++;
      add(std::move(part));
    }
    out_.entries.resize(first);
    return {};
  }

  void add(Part part) {
    const auto [known, is_new] = places_.try_emplace(part.stored.path, tensors_.size());
    if (is_new) tensors_.emplace_back();
    tensors_[known->second].push_back(std::move(part));
  }

  Error cannot(const std::string& name, std::string what) const {
    return {.code = ErrorCode::inconsistent,
            .what = name + ": " + std::move(what),
            .file = directory_,
            .hint = "Is the directory complete, with the shards of all ranks of one save?"};
  }

  /// The tensor of all parts, in the place of the first.
  Result<void> join(std::vector<Part>& parts) {
    StoredTensor& first = parts[0].stored;
    const std::optional<Shape> whole = whole_shape(parts);
    if (!whole)
      return fail(cannot(first.path, "its parts have unlike types or numbers of dimensions"));
    if (parts.size() == 1 && *whole == first.view.shape()) return {};
    SAMEBITS_TRY(const TensorView described, TensorView::valueless(first.view.dtype(), *whole));
    std::uint64_t held = 0;
    for (const Part& part : parts) held += part.stored.view.numel();
    // So that memory stays within what the files hold.
    if (described.numel() > held)
      return fail(cannot(first.path,
                         fmt::format("its parts hold {} of {} elements", held, described.numel())));
    SAMEBITS_TRY(TensorPieces pieces, TensorPieces::make(first.view.dtype(), *whole));
    for (const Part& part : parts) pieces.add(part.offsets, part.stored.view);
    if (std::string fault = pieces.fault(); !fault.empty())
      return fail(cannot(first.path, std::move(fault)));
    SAMEBITS_TRY(TensorPieces::Whole joined, std::move(pieces).finish());
    out_.owned.push_back(std::move(joined.bytes));
    first.view = std::move(joined.view);
    first.storage_bytes = first.view.nbytes();
    return {};
  }

  Checkpoint& out_;
  const std::string& directory_;
  std::map<std::string, std::size_t> places_;  // into tensors_
  std::vector<std::vector<Part>> tensors_;     // in the order of the files
  std::uint32_t next_storage_ = 0;
};

/// "model" of "model.0.weight", "app.model" of "app.model.0.weight"; "" where no part is known.
std::string model_part(const std::string& name) {
  std::size_t begin = 0;
  for (int depth = 0; depth < 2; ++depth) {
    const std::size_t end = name.find('.', begin);
    if (end == std::string::npos) return "";
    const std::string_view part = std::string_view(name).substr(begin, end - begin);
    if (std::ranges::find(kModelParts, part) != kModelParts.end()) return name.substr(0, end);
    begin = end + 1;
  }
  return "";
}

}  // namespace

bool has_dcp_shards(const std::string& directory) { return !dcp_shards_in(directory).empty(); }

Result<void> read_dcp_shards(Checkpoint& checkpoint, const std::string& directory) {
  return ShardsReader(checkpoint, directory).read();
}

void find_lone_dcp_shard(Checkpoint& checkpoint, std::uint32_t file) {
  const Result<Offsets> offsets = take_offsets(checkpoint, file);
  const fs::path path(checkpoint.files[file].path);
  Oddity oddity{.kind = Oddity::Kind::incomplete, .summary = "", .file = file};
  if (!offsets) {
    oddity.summary = offsets.error().what;
    checkpoint.oddities.push_back(std::move(oddity));
    return;
  }
  for (const auto& [name, begin] : *offsets)
    if (std::ranges::any_of(begin, [](std::int64_t at) { return at != 0; }))
      oddity.tensors.push_back(name);
  const std::string directory = path.has_parent_path() ? path.parent_path().string() : ".";
  const bool named = is_dcp_shard_name(path.filename().string());
  const std::size_t shards = named ? dcp_shards_in(directory).size() : 0;
  if (oddity.tensors.empty() && shards < 2) return;
  oddity.summary =
      "the file is one shard of a distributed checkpoint: its tensors may be parts of "
      "larger ones";
  if (!oddity.tensors.empty())
    oddity.summary += fmt::format(", and {} of {} do not begin at index 0", oddity.tensors.size(),
                                  offsets->size());
  oddity.remedy = shards < 2 ? "Get the shards of the other ranks into one directory, and name that"
                             : fmt::format(
                                   "Name the directory, {}: its {} shards are then put "
                                   "together",
                                   directory, shards);
  constexpr std::size_t kMostNamed = 100;
  oddity.tensors.resize(std::min(oddity.tensors.size(), kMostNamed));
  checkpoint.oddities.push_back(std::move(oddity));
}

TensorRole dcp_role(const std::string& name) {
  return name.starts_with("optim") ? TensorRole::optimizer : TensorRole::weight;
}

void add_dcp_candidates(Checkpoint& checkpoint) {
  std::map<std::string, std::vector<std::uint32_t>> groups;
  Candidate all;
  for (std::uint32_t i = 0; i < checkpoint.entries.size(); ++i) {
    if (checkpoint.entries[i].role == TensorRole::optimizer) continue;
    all.weights.push_back(i);
    if (const std::string part = model_part(checkpoint.entries[i].path); !part.empty())
      groups[part].push_back(i);
  }
  for (const std::string_view part : kModelParts)
    for (auto& [key, weights] : groups)
      if (key == part || key.ends_with("." + std::string(part))) {
        Candidate candidate;
        candidate.key = key;
        candidate.weights = std::move(weights);
        if (!candidate.weights.empty()) checkpoint.candidates.push_back(std::move(candidate));
      }
  if (checkpoint.candidates.empty() && !all.weights.empty())
    checkpoint.candidates.push_back(std::move(all));
}

}  // namespace samebits
