#include "samebits/convert/write_directory.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "samebits/base/atomic_directory.h"
#include "samebits/base/atomic_write.h"
#include "samebits/container/tensor_writers.h"
#include "samebits/convert/read_back.h"
#include "samebits/convert/writing.h"
#include "samebits/explain/directory_load.h"
#include "samebits/explain/subjects.h"
#include "samebits/model/tied_names.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;

/// What people keep beside a model and no tensor depends on.
constexpr auto kCopied = std::to_array<std::string_view>(
    {"preprocessor_config.json", "processor_config.json", "generation_config.json",
     "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
     "vocab.json", "vocab.txt", "merges.txt", "tokenizer.model", "spiece.model",
     "chat_template.jinja"});
constexpr std::string_view kIndexName = "model.safetensors.index.json";
constexpr std::uint64_t kUsualShard = 50'000'000'000;  // of transformers 5.24.0

bool is_copied(const std::string& name) {
  return std::ranges::find(kCopied, name) != kCopied.end();
}

/// Whether a file is one that a conversion writes: only these give way to --force.
bool may_be_replaced(const std::string& name) {
  const bool weights = name.starts_with("model") && name.ends_with(".safetensors");
  return weights || name == kIndexName || name == "config.json" || is_copied(name);
}

struct Shard {
  std::string name;
  std::vector<std::size_t> tensors;
};

/// In the order of the tensors, as huggingface_hub cuts them: a shard ends before it grows too
/// large. A tensor that is larger stands alone.
std::vector<Shard> shards_of(const TensorsToWrite& output, std::uint64_t most) {
  std::vector<Shard> shards(1);
  std::uint64_t size = 0;
  for (std::size_t i = 0; i < output.tensors.size(); ++i) {
    const std::uint64_t bytes = output.blobs[output.tensors[i].blob].size;
    if (!shards.back().tensors.empty() && size + bytes > most) {
      shards.emplace_back();
      size = 0;
    }
    shards.back().tensors.push_back(i);
    size += bytes;
  }
  for (std::size_t i = 0; i < shards.size(); ++i)
    shards[i].name = shards.size() == 1
                         ? "model.safetensors"
                         : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
  return shards;
}

/// Names that the config ties to another one are left to the library, which fills them. Other names
/// of one tensor are written each with its bytes: from_pretrained knows of no ties in a file.
TensorsToWrite without_ties(const TensorsToWrite& output, const Json& config) {
  TensorsToWrite kept;
  std::map<std::size_t, std::string> first;
  for (const BlobTensor& tensor : output.tensors) first.try_emplace(tensor.blob, tensor.name);
  std::map<std::size_t, std::vector<std::string>> names;
  for (const BlobTensor& tensor : output.tensors) names[tensor.blob].push_back(tensor.name);
  for (const BlobTensor& tensor : output.tensors) {
    const bool filled = std::ranges::any_of(names[tensor.blob], [&](const std::string& source) {
      return source != tensor.name && model::is_tied_to(tensor.name, source) &&
             model::config_ties(config, {source, tensor.name});
    });
    if (filled) continue;
    kept.tensors.push_back(tensor);
    kept.tensors.back().blob = kept.blobs.size();
    kept.blobs.push_back(output.blobs[tensor.blob]);
  }
  return kept;
}

Json config_to_write(const ConvertRequest& request, const Json& config, const TensorPlan& plan) {
  Json written = Json::object();
  for (const auto& [key, value] : config.items())
    if (!key.starts_with('_') || key == "_name_or_path") written[key] = value;
  if (const std::size_t colon = plan.target.find(':'); colon != std::string::npos)
    written["architectures"] = Json::array({plan.target.substr(colon + 1)});
  if (request.dtype) {
    const char* key = written.contains("torch_dtype") ? "torch_dtype" : "dtype";
    written[key] = std::string(info(*request.dtype).torch);
  }
  return written;
}

Result<void> write_text(const AtomicDirectory& directory, const std::string& name,
                        const std::string& text, std::vector<std::string>* files) {
  files->push_back(name);
  return atomic_write(directory.temporary() + "/" + name, text);
}

Result<void> write_shard(const AtomicDirectory& directory, const Shard& shard,
                         const TensorsToWrite& output, WorkStep& step) {
  TensorsToWrite part;
  for (const std::size_t index : shard.tensors) {
    part.tensors.push_back(output.tensors[index]);
    part.tensors.back().blob = part.blobs.size();
    part.blobs.push_back(output.blobs[output.tensors[index].blob]);
  }
  SAMEBITS_TRY(AtomicFile file, AtomicFile::create(directory.temporary() + "/" + shard.name));
  SAMEBITS_TRY_VOID(stream_safetensors(part, {{"format", "pt"}}, metered_sink(file, step)));
  return file.commit();
}

Result<void> write_shards(const AtomicDirectory& directory, const std::vector<Shard>& shards,
                          const TensorsToWrite& output) {
  WorkStep step("writing", blob_bytes(output));
  for (const Shard& shard : shards) SAMEBITS_TRY_VOID(write_shard(directory, shard, output, step));
  return {};
}

Json index_of(const TensorsToWrite& output, const std::vector<Shard>& shards) {
  std::map<std::string, std::string> places;
  std::uint64_t total = 0;
  for (const Shard& shard : shards)
    for (const std::size_t index : shard.tensors) {
      places[output.tensors[index].name] = shard.name;
      total += output.blobs[output.tensors[index].blob].size;
    }
  return {{"metadata", {{"total_size", total}}}, {"weight_map", places}};
}

Result<void> copy_beside(const Checkpoint& input, const AtomicDirectory& directory,
                         std::vector<std::string>* files, std::vector<std::string>* left_out) {
  if (input.kind != CheckpointKind::hf_directory) {
    if (!input.preprocessing.is_object()) return {};
    return write_text(directory, "preprocessor_config.json", input.preprocessing.dump(2) + "\n",
                      files);
  }
  std::set<std::string> read, names;
  for (const SourceFile& file : input.files) read.insert(fs::path(file.path).filename().string());
  std::error_code error;
  for (fs::directory_iterator at(input.path, error), end; !error && at != end; at.increment(error))
    names.insert(at->path().filename().string());
  for (const std::string& name : names) {
    if (is_copied(name)) {
      SAMEBITS_TRY(const auto file, MappedFile::open(input.path + "/" + name));
      SAMEBITS_TRY_VOID(atomic_write(directory.temporary() + "/" + name, file->bytes()));
      files->push_back(name);
    } else if (!read.contains(name)) {
      left_out->push_back(name);
    }
  }
  return {};
}

/// What the loaders of both versions would make of the names.
Result<void> check_both_load(const Checkpoint& input, const Json& config, const TensorPlan& plan) {
  std::vector<model::StoredShape> shapes;
  for (const PlannedTensor& tensor : plan.tensors) shapes.push_back({tensor.name, tensor.shape()});
  const std::string class_name = plan.target.substr(plan.target.find(':') + 1);
  for (const model::Library library :
       {model::Library::transformers4, model::Library::transformers5}) {
    if (model::find_class(library, class_name) == nullptr) continue;
    SAMEBITS_TRY(const model::LoadTarget target,
                 model::make_target({library, class_name}, &config, shapes));
    const model::LoadOutcome outcome = predict_load(target, shapes, model::Way::from_pretrained);
    const bool whole = outcome.raises.empty() && outcome.dropped.empty() &&
                       outcome.count(model::TargetState::loaded) == outcome.targets.size();
    if (whole) continue;
    return fail(
        {.code = ErrorCode::unsupported,
         .what = fmt::format("{}:{} would not load all of it", library_name(library), class_name),
         .file = input.path,
         .hint = "Keep the names: --to safetensors"});
  }
  return {};
}

}  // namespace

std::map<std::string, std::string> kept_metadata(const Checkpoint& input) {
  std::map<std::string, std::string> metadata;
  if (input.kind == CheckpointKind::safetensors && input.producer.is_object() &&
      input.producer.contains("metadata"))
    for (const auto& [name, value] : input.producer["metadata"].items())
      if (value.is_string()) metadata[name] = value.get<std::string>();
  metadata["format"] = "pt";
  return metadata;
}

Result<TensorPlan> plan_for_directory(const Checkpoint& input, const Json& config,
                                      const std::string& class_name) {
  if (!config.is_object())
    return fail({.code = ErrorCode::usage,
                 .what = "it carries no config, which a Hugging Face directory needs",
                 .file = input.path,
                 .hint = "Give the model's: --config config.json"});
  if (!config.contains("model_type"))
    return fail({.code = ErrorCode::usage,
                 .what = "its config names no model_type of transformers",
                 .file = input.path,
                 .hint = "Give the config of transformers: --config config.json"});
  const std::string type =
      config["model_type"].is_string() ? config["model_type"].get<std::string>() : "";
  if (model::find_model_type(type) == nullptr) {
    if (input.kind == CheckpointKind::hf_directory) return plan_as_named(input, "");
    return fail({.code = ErrorCode::unsupported,
                 .what = "the names of model type " + type + " in files are not known",
                 .file = input.path,
                 .hint = "Keep those of the modules: --to safetensors or torch"});
  }
  SAMEBITS_TRY(TensorPlan plan,
               plan_for_class(input, {model::Library::transformers4, class_name}, config));
  SAMEBITS_TRY_VOID(check_both_load(input, config, plan));
  return plan;
}

Result<std::vector<std::string>> write_directory(const ConvertRequest& request,
                                                 const Checkpoint& input, const Json& config,
                                                 const TensorPlan& plan, const PlannedBytes& bytes,
                                                 std::vector<std::string>* left_out) {
  const TensorsToWrite output = without_ties(bytes.output, config);
  for (const BlobTensor& tensor : output.tensors)
    if (!safetensors_can_hold(tensor.dtype))
      return fail({.code = ErrorCode::unsupported,
                   .what = fmt::format("{} is {}, which safetensors has not", tensor.name,
                                       info(tensor.dtype).torch),
                   .file = input.path});
  SAMEBITS_TRY(AtomicDirectory directory,
               AtomicDirectory::create(request.output, request.force, may_be_replaced));
  std::vector<std::string> files;
  SAMEBITS_TRY_VOID(write_text(directory, "config.json",
                               config_to_write(request, config, plan).dump(2) + "\n", &files));
  const std::vector<Shard> shards = shards_of(output, request.shard_bytes.value_or(kUsualShard));
  SAMEBITS_TRY_VOID(write_while_checking(input, request.threads,
                                         [&] { return write_shards(directory, shards, output); }));
  for (const Shard& shard : shards) files.push_back(shard.name);
  if (shards.size() > 1)
    SAMEBITS_TRY_VOID(write_text(directory, std::string(kIndexName),
                                 index_of(output, shards).dump(2) + "\n", &files));
  SAMEBITS_TRY_VOID(copy_beside(input, directory, &files, left_out));
  SAMEBITS_TRY_VOID(check_read_back(directory.temporary(), output, request.threads));
  SAMEBITS_TRY_VOID(directory.commit());
  std::ranges::sort(files);
  return files;
}

}  // namespace samebits
