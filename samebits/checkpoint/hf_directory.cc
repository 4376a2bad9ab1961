#include "samebits/checkpoint/hf_directory.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>

#include <fmt/ranges.h>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/below.h"
#include "samebits/checkpoint/byte_account.h"
#include "samebits/checkpoint/choice.h"
#include "samebits/checkpoint/companions.h"
#include "samebits/checkpoint/directory_kinds.h"
#include "samebits/checkpoint/file_reader.h"
#include "samebits/checkpoint/lost_shards.h"
#include "samebits/checkpoint/safetensors_files.h"
#include "samebits/checkpoint/shards.h"
#include "samebits/checkpoint/training_values.h"
#include "samebits/checkpoint/weight_parts.h"
#include "samebits/container/safetensors.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;

// In from_pretrained's order of preference.
constexpr std::array kWeightFiles = std::to_array<std::string_view>({
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
    "pytorch_model.bin.index.json", "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json", "diffusion_pytorch_model.bin",
    "adapter_model.safetensors", "adapter_model.bin",
    "pytorch_model_fsdp.bin",  // FSDP's full state dict, which from_pretrained does not look for
});

constexpr const char* kWholeDirectory = "Download or copy the whole directory";

struct Companion {
  std::string_view name;
  TensorRole role;
  std::optional<std::string> TrainingState::* where;
};
constexpr std::array kCompanions = std::to_array<Companion>({
    {"optimizer.pt", TensorRole::optimizer, &TrainingState::optimizer},
    {"optimizer.bin", TensorRole::optimizer, &TrainingState::optimizer},
    {"scheduler.pt", TensorRole::other, &TrainingState::scheduler},
    {"scheduler.bin", TensorRole::other, &TrainingState::scheduler},
    {"scaler.pt", TensorRole::other, &TrainingState::scaler},
    {"scaler.bin", TensorRole::other, &TrainingState::scaler},
    {"sampler.bin", TensorRole::other, &TrainingState::sampler},
    {"rng_state.pth", TensorRole::rng, &TrainingState::rng},
    {"rng_state_0.pth", TensorRole::rng, &TrainingState::rng},
    {"random_states_0.pkl", TensorRole::rng, &TrainingState::rng},
});

// Also where it may not be looked at, or is a link that leads nowhere: opening it says so, and what
// is not absent is not passed over.
bool exists(const std::string& path) {
  std::error_code error;
  return fs::symlink_status(path, error).type() != fs::file_type::not_found;
}

/// A plain file name: an index must not lead out of its directory.
bool stays_inside(const std::string& name) {
  return !name.empty() && name[0] != '/' && name.find("..") == std::string::npos &&
         name.find('\\') == std::string::npos && name.find('\0') == std::string::npos;
}

class DirectoryReader {
 public:
  /// `is_second_look`: another reader holds the files of the directory against each other.
  DirectoryReader(Checkpoint& checkpoint, std::string path, OpenOptions options,
                  bool is_second_look = false)
      : out_(checkpoint),
        directory_(std::move(path)),
        options_(std::move(options)),
        is_second_look_(is_second_look) {
    while (directory_.size() > 1 && directory_.ends_with('/')) directory_.pop_back();
  }

  Result<void> read() {
    out_.kind = CheckpointKind::hf_directory;
    read_fields("config.json", out_.config, out_.config_faults);
    if (out_.config.is_object()) out_.config_from = "config.json";
    read_preprocessing();
    SAMEBITS_TRY(const std::string weights, pick_weights());
    SAMEBITS_TRY_VOID(in_parts_           ? read_weight_parts(out_, directory_)
                      : series_           ? read_series(*series_)
                      : is_index(weights) ? read_sharded(weights)
                                          : read_weights_file(weights));
    if (!in_parts_) add_candidates(weights);
    for (const std::string& other : present_) {
      const bool adapter = other.starts_with("adapter_") || weights.starts_with("adapter_");
      if (other != weights && !adapter && !is_second_look_) hold_against(weights, other);
    }
    read_adapter_config(weights);
    read_companions();
    for (const std::string& name : companion_files(directory_)) {
      if (Result<void> read = read_companion(out_, directory_, name); !read)
        out_.unread.push_back(std::move(read).error());
    }
    read_modules_behind(out_, directory_);
    return choose_weights(out_, options_.key);
  }

 private:
  std::string in_directory(std::string_view name) const {
    return directory_ + "/" + std::string(name);
  }

  Result<std::uint32_t> add_file(const std::string& name, const std::string& container) {
    SAMEBITS_TRY(auto map, MappedFile::open(in_directory(name)));
    out_.files.push_back({in_directory(name), container, std::move(map)});
    return static_cast<std::uint32_t>(out_.files.size() - 1);
  }

  Result<void> read_json(const std::string& name, Json& json) {
    if (!exists(in_directory(name))) return {};
    SAMEBITS_TRY(const std::uint32_t file, add_file(name, "json"));
    const SourceFile& source = out_.files[file];
    use_bytes(out_, file, 0, source.map->size(), ByteUse::structure);
    SAMEBITS_TRY(Json parsed, parse_json(source.map->bytes(), source.path));
    if (!parsed.is_object()) {
      return fail({.code = ErrorCode::malformed,
                   .what = name + " is no JSON object",
                   .file = source.path,
                   .offset = 0,
                   .expected = "{",
                   .found = parsed.type_name()});
    }
    json = std::move(parsed);
    return {};
  }

  /// The weights stand without a file of fields, and what needs it says why it is not there.
  void read_fields(const std::string& name, Json& json, std::vector<Error>& faults) {
    if (Result<void> read = read_json(name, json); !read) faults.push_back(std::move(read).error());
  }

  /// transformers 5.24.0 writes a processor of several parts into one file, and loads its parts
  /// from there where they have no file of their own.
  void read_preprocessing() {
    read_fields("preprocessor_config.json", out_.preprocessing, out_.preprocessing_faults);
    if (out_.preprocessing.is_object() || !out_.preprocessing_faults.empty()) return;
    Json processor;
    read_fields("processor_config.json", processor, out_.preprocessing_faults);
    for (const char* part : {"image_processor", "feature_extractor"})
      if (processor.is_object() && processor.contains(part) && processor[part].is_object() &&
          !out_.preprocessing.is_object())
        out_.preprocessing = processor[part];
  }

  Result<std::string> pick_weights() {
    for (const std::string_view name : kWeightFiles) {
      if (exists(in_directory(name))) present_.emplace_back(name);
    }
    in_parts_ = present_.empty() && has_weight_parts(directory_);
    if (in_parts_) return std::string();
    if (present_.empty()) {
      if (auto distributed = find_distributed(directory_)) return fail(*std::move(distributed));
      series_ = find_series(directory_);
      if (series_) present_ = {series_->name()};
    }
    if (present_.empty()) {
      SAMEBITS_TRY_VOID(add_single_checkpoint());
    }
    if (present_.empty()) return fail(no_weights());
    if (options_.key.empty()) return present_[0];
    if (std::find(present_.begin(), present_.end(), options_.key) != present_.end())
      return options_.key;
    return fail({.code = ErrorCode::usage,
                 .what = "no weights stand under the key " + options_.key,
                 .file = directory_,
                 .hint = fmt::format("It has: {}", fmt::join(present_, ", "))});
  }

  /// A directory that holds one file of weights under a name of its own.
  Result<void> add_single_checkpoint() {
    std::error_code error;
    std::vector<std::string> found, indexes;
    for (const auto& entry : fs::directory_iterator(directory_, error)) {
      const std::string extension = entry.path().extension().string();
      if (const std::string name = entry.path().filename().string(); is_variant_index(name))
        indexes.push_back(name);
      if (extension == ".safetensors" || extension == ".pth" || extension == ".pt" ||
          extension == ".ckpt" || is_variant_bin(entry.path().filename().string()))
        found.push_back(entry.path().filename().string());
    }
    if (error) {
      return fail({.code = ErrorCode::io,
                   .what = "the directory cannot be listed: " + error.message(),
                   .file = directory_});
    }
    std::erase_if(found, is_companion);
    if (indexes.size() == 1)
      present_ = indexes;
    else if (found.size() == 1)
      present_ = found;
    else if (!found.empty() && indexes.empty())
      return fail(no_weights(several_text(std::move(found))));
    return {};
  }

  static std::string several_text(std::vector<std::string> names) {
    constexpr std::size_t kShown = 5;
    std::ranges::sort(names);
    const bool more = names.size() > kShown;
    names.resize(std::min(names.size(), kShown));
    return fmt::format("It holds several files of other names; name the one that is meant: {}{}",
                       fmt::join(names, ", "), more ? ", ..." : "");
  }

  Error no_weights(const std::string& hint = "") const {
    Error error{
        .code = ErrorCode::io, .what = "the directory holds no weights", .file = directory_};
    error.expected = "model.safetensors or pytorch_model.bin, one file or sharded by an index";
    if (auto foreign = find_foreign_weights(directory_)) return *std::move(foreign);
    error.hint = hint_below(directory_);
    if (error.hint.empty()) error.hint = hint;
    if (error.hint.empty())
      error.hint = "Name the directory that save_pretrained() wrote, or the file itself";
    return error;
  }

  Result<void> read_weights_file(const std::string& name) {
    SAMEBITS_TRY(const std::uint32_t file, add_file(name, ""));
    if (SafetensorsFile::looks_like(out_.files[file].map->bytes()))
      return add_safetensors(out_, file);
    return read_torch_weights(file);
  }

  /// A .bin shard or file: its chosen weights become the directory's.
  Result<void> read_torch_weights(std::uint32_t file) {
    Checkpoint part;
    part.path = out_.files[file].path;
    part.files = {out_.files[file]};
    SAMEBITS_TRY_VOID(read_file(part, {.file = 0, .main = true}));
    merge(std::move(part), file);
    return {};
  }

  void merge(Checkpoint part, std::uint32_t file) {
    if (part.has_weights())
      inside_ = part.weights().is_module ? std::string(kModuleInside) : part.weights().key;
    const std::uint32_t first_storage = next_storage_id(out_);
    out_.files[file].container = part.files[0].container;
    for (StoredTensor& tensor : part.entries) {
      tensor.file = file;
      tensor.storage += first_storage;
      if (!tensor.name.empty()) tensor.path = tensor.name;
      out_.entries.push_back(std::move(tensor));
    }
    for (StoredValue& value : part.values) out_.values.push_back(std::move(value));
    for (Oddity& oddity : part.oddities) {
      oddity.file = file;
      out_.oddities.push_back(std::move(oddity));
    }
    for (CallSummary& call : part.calls) {
      call.file = file;
      out_.calls.push_back(std::move(call));
    }
    for (ByteRange& range : part.bytes) use_bytes(out_, file, range.begin, range.end, range.use);
    out_.imports.insert(out_.imports.end(), part.imports.begin(), part.imports.end());
    out_.unusual_imports.insert(out_.unusual_imports.end(), part.unusual_imports.begin(),
                                part.unusual_imports.end());
    out_.owned.insert(out_.owned.end(), part.owned.begin(), part.owned.end());
    out_.unread.insert(out_.unread.end(), part.unread.begin(), part.unread.end());
    if (out_.producer.is_null()) out_.producer = part.producer;
  }

  Result<void> read_sharded(const std::string& index_name) {
    Json index;
    SAMEBITS_TRY_VOID(read_json(index_name, index));
    if (!index.contains("weight_map") || !index["weight_map"].is_object())
      return fail(index_error(index_name, "the index has no weight_map"));
    ShardNames shards;
    for (const auto& [name, shard] : index["weight_map"].items()) {
      if (!shard.is_string() || !stays_inside(shard.get<std::string>())) {
        return fail(index_error(index_name, "the index points outside its directory for " + name));
      }
      shards[shard.get<std::string>()].insert(name);
    }
    for (const auto& [shard, names] : shards)
      SAMEBITS_TRY_VOID(read_shard(shard, names, index_name, shards));
    ShardReport report(out_, directory_);
    report.check_index(index, index_name, shards);
    report.take_last_of_doubled();
    return {};
  }

  /// Shards whose index is gone: together they are the model, which no loader puts together.
  Result<void> read_series(const ShardSeries& series) {
    for (const std::string& shard : series.present) SAMEBITS_TRY_VOID(read_weights_file(shard));
    out_.oddities.push_back(
        {.kind = Oddity::Kind::incomplete,
         .summary = fmt::format("{} shards lie in the directory, and their index, {}, does not: "
                                "from_pretrained finds no weights",
                                series.present.size(), series.index_name()),
         .remedy = fmt::format("Get {} from where the shards are from", series.index_name())});
    for (const std::string& shard : series.absent) {
      out_.unread.push_back({.code = ErrorCode::io,
                             .what = "a shard of the model is missing",
                             .file = in_directory(shard),
                             .expected = fmt::format("{} shards", series.count()),
                             .found = std::to_string(series.present.size()),
                             .hint = kWholeDirectory});
    }
    return {};
  }

  Result<void> read_shard(const std::string& shard, const std::set<std::string>& names,
                          const std::string& index_name, const ShardNames& shards) {
    if (exists(in_directory(shard))) return read_weights_file(shard);
    std::string summary =
        fmt::format("the shard {}, which {} names, is not there: {} {} absent", shard, index_name,
                    names.size(), names.size() == 1 ? "tensor is" : "tensors are");
    std::string remedy = kWholeDirectory;
    if (const auto [orphan, held] = find_orphan(directory_, names, shards); !orphan.empty()) {
      summary += fmt::format("; {}, which the index does not name, holds {} of them", orphan, held);
      remedy = fmt::format("Rename {} to {}, if both are of one save; else get {} from there",
                           orphan, shard, shard);
    }
    out_.unread.push_back({.code = ErrorCode::io,
                           .what = "a shard of the model is missing",
                           .file = in_directory(shard),
                           .expected = std::to_string(names.size()) + " tensors",
                           .hint = remedy});
    out_.oddities.push_back({.kind = Oddity::Kind::incomplete,
                             .summary = std::move(summary),
                             .tensors = {names.begin(), names.end()},
                             .remedy = std::move(remedy)});
    for (const std::string& name : names) add_unreadable_tensor(out_, name);
    return {};
  }

  static bool is_companion(const std::string& name) {
    return std::ranges::any_of(kCompanions, [&](const Companion& c) { return c.name == name; });
  }

  Error index_error(const std::string& name, std::string what) const {
    return {.code = ErrorCode::malformed,
            .what = std::move(what),
            .file = in_directory(name),
            .expected = "\"weight_map\": {tensor: file name in this directory}"};
  }

  void add_candidates(const std::string& weights) {
    Candidate taken;
    taken.key = weights;
    taken.inside = inside_;
    if (!inside_.empty() && !is_second_look_) note_inside(weights);
    for (std::uint32_t i = 0; i < out_.entries.size(); ++i) {
      if (out_.entries[i].role != TensorRole::optimizer && out_.entries[i].role != TensorRole::rng)
        taken.weights.push_back(i);
    }
    out_.candidates.push_back(std::move(taken));
    // The others are there but were not read.
    for (const std::string& name : present_) {
      if (name == weights) continue;
      Candidate other;
      other.key = name;
      out_.candidates.push_back(std::move(other));
    }
  }

  /// from_pretrained takes the object of a .bin for the state dict.
  void note_inside(const std::string& weights) {
    Oddity oddity{.kind = Oddity::Kind::incomplete, .summary = ""};
    const bool module = inside_ == kModuleInside;
    oddity.summary =
        module ? fmt::format("{} holds a whole module, which from_pretrained refuses", weights)
               : fmt::format(
                     "the weights stand under {} in {}, and from_pretrained looks at the "
                     "top of the file: it leaves every weight at random values",
                     inside_, weights);
    oddity.remedy = "Save the state_dict itself in that file: samebits convert --to hf does";
    out_.oddities.push_back(std::move(oddity));
  }

  /// Two models in one directory: from_pretrained takes the first, other programs the second.
  void hold_against(const std::string& weights, const std::string& other_name) {
    Checkpoint other;
    const bool whole = options_.deep || options_.cross_check;
    if (!DirectoryReader(other, directory_, {.key = other_name}, true).read()) return;
    std::map<std::string, const StoredTensor*> others;
    for (const std::uint32_t index : other.weights().weights)
      others[other.entries[index].path] = &other.entries[index];
    const std::vector<std::uint32_t>& own = out_.candidates[0].weights;
    std::vector<std::string> unlike;
    const auto found = static_cast<std::size_t>(std::ranges::count_if(
        own, [&](std::uint32_t index) { return others.contains(out_.entries[index].path); }));
    // A tie may be written on one side only; two models share few names.
    const bool names_count = whole || 2 * found < std::max(own.size(), others.size());
    for (const std::uint32_t index : own) {
      const StoredTensor& tensor = out_.entries[index];
      const auto place = others.find(tensor.path);
      if (place == others.end() ? names_count
                                : !(whole ? have_equal_values(tensor, *place->second)
                                          : begin_alike(tensor, *place->second)))
        unlike.push_back(tensor.path);
    }
    if (unlike.empty() && (!names_count || found == others.size())) return;
    std::string text = weights + " and " + other_name + " hold unlike models: ";
    text += unlike.empty() ? "the latter has tensors of its own"
                           : std::to_string(unlike.size()) +
                                 " tensors differ or are in one only, " + unlike[0] + " among them";
    unlike.resize(std::min<std::size_t>(unlike.size(), 100));
    out_.oddities.push_back({.kind = Oddity::Kind::incomplete,
                             .summary = text + "; " + weights + " was taken",
                             .tensors = std::move(unlike)});
  }

  /// PEFT: adapter_config.json decides as much of what is computed as the factors.
  void read_adapter_config(const std::string& weights) {
    const bool is_adapter = weights.starts_with("adapter_model.");
    read_fields("adapter_config.json", out_.adapter, out_.config_faults);
    if (!is_adapter || !out_.adapter.is_object()) return;
    const auto text = [&](const char* field) {
      return out_.adapter.contains(field) ? json_text(out_.adapter[field]) : std::string("?");
    };
    const std::string base = text("base_model_name_or_path");
    out_.description = "adapter (" + text("peft_type") + ", r " + text("r") + ", lora_alpha " +
                       text("lora_alpha") + ")";
    if (base != "null" && base != "?") out_.description += " for " + base;
  }

  void read_companions() {
    for (const Companion& companion : kCompanions) {
      const std::string name(companion.name);
      if (!exists(in_directory(name))) continue;
      if (!(out_.training.*companion.where)) out_.training.*companion.where = name;
      Result<std::uint32_t> file = add_file(name, "");
      Result<void> read =
          file ? read_file(
                     out_,
                     {.file = *file, .main = false, .prefix = name + ":", .role = companion.role})
               : Result<void>(fail(file.error()));
      if (!read) out_.unread.push_back(std::move(read).error());
    }
    if (Result<void> read = read_optimizer_folders(out_, directory_); !read)
      out_.unread.push_back(std::move(read).error());
    read_trainer_state();
    read_native_state();
  }

  void read_trainer_state() {
    Json state;
    if (Result<void> read = read_json("trainer_state.json", state); !read)
      return out_.unread.push_back(std::move(read).error());
    if (!state.is_object()) return;
    out_.training.step = "trainer_state.json";
    read_trainer_values(out_, state);
  }

  /// How far samebits train was. A file of that name may be another's, and then says nothing here.
  void read_native_state() {
    Json state;
    if (!read_json("training.json", state) || !state.is_object()) return;
    const auto schema = state.find("schema");
    if (schema == state.end() || !schema->is_string() ||
        !schema->get<std::string>().starts_with("samebits.training-state/"))
      return;
    out_.training.step = "training.json";
    constexpr const char* kMoments = "optimizer.safetensors";
    if (exists(in_directory(kMoments))) out_.training.optimizer = kMoments;
    for (const char* field : {"step", "epoch"})
      if (const auto value = state.find(field); value != state.end() && value->is_number())
        out_.training.values[field] = *value;
  }

  Checkpoint& out_;
  std::string directory_;
  const OpenOptions options_;
  const bool is_second_look_;
  std::vector<std::string> present_;
  bool in_parts_ = false;              // the weights: see weight_parts.h
  std::string inside_;                 // as in Candidate
  std::optional<ShardSeries> series_;  // shards without an index, which are then present_
};

}  // namespace

Result<void> read_hf_directory(Checkpoint& checkpoint, const std::string& path,
                               const OpenOptions& options) {
  return DirectoryReader(checkpoint, path, options).read();
}

}  // namespace samebits
