#include "samebits/train/train_state.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "samebits/base/atomic_write.h"
#include "samebits/base/mapped_file.h"
#include "samebits/container/safetensors.h"
#include "samebits/container/tensor_writers.h"
#include "samebits/tensor/running_digest.h"

namespace samebits {
namespace {

constexpr const char* kModelFile = "model.safetensors";
constexpr const char* kOptimizerFile = "optimizer.safetensors";
constexpr const char* kStateFile = "training.json";
constexpr const char* kNoise = "generator.noise";
constexpr const char* kOrder = "generator.order";
constexpr const char* kFirst = "exp_avg.";
constexpr const char* kSecond = "exp_avg_sq.";

Error damaged(const std::string& file, const std::string& what) {
  return {.code = ErrorCode::inconsistent,
          .what = what,
          .file = file,
          .hint = "The checkpoint is damaged: move it away, and the one before it is taken"};
}

std::string digest_text(const Digest128& digest) {
  return fmt::format("{:016x}{:016x}", digest.high, digest.low);
}

Result<std::string> file_digest(const std::string& path) {
  SAMEBITS_TRY(const auto file, MappedFile::open(path));
  return digest_text(fast_digest(file->bytes()));
}

/// The digest of what was written.
Result<std::string> write_tensors(const std::string& path, const TensorsToWrite& tensors) {
  SAMEBITS_TRY(AtomicFile file, AtomicFile::create(path));
  RunningDigest digest;
  SAMEBITS_TRY_VOID(stream_safetensors(tensors, {{"format", "pt"}}, [&](Bytes bytes) {
    digest.add(bytes);
    return file.write(bytes);
  }));
  SAMEBITS_TRY_VOID(file.commit());
  return digest_text(digest.digest());
}

void add_bytes(const std::string& name, const std::vector<std::uint8_t>& bytes,
               TensorsToWrite* tensors) {
  tensors->tensors.push_back(
      {name, DType::uint8, {static_cast<std::int64_t>(bytes.size())}, tensors->blobs.size()});
  tensors->blobs.push_back({bytes.size(), [&bytes](const ByteSink& sink) { return sink(bytes); }});
}

void append(TensorsToWrite more, TensorsToWrite* tensors) {
  for (BlobTensor& tensor : more.tensors) {
    tensor.blob += tensors->blobs.size();
    tensors->tensors.push_back(std::move(tensor));
  }
  for (Blob& blob : more.blobs) tensors->blobs.push_back(std::move(blob));
}

Result<void> write_json(const std::string& path, const Json& value) {
  return atomic_write(path, std::string_view(value.dump(2) + "\n"));
}

/// A whole number of the state.
Result<std::uint64_t> number_of(const Json& state, const char* name, const std::string& file) {
  if (state.is_object() && state.contains(name) && state[name].is_number_unsigned())
    return state[name].get<std::uint64_t>();
  return fail(damaged(file, std::string("the state has no number called ") + name));
}

Result<std::string> text_of(const Json& state, const char* name, const std::string& file) {
  if (state.is_object() && state.contains(name) && state[name].is_string())
    return state[name].get<std::string>();
  return fail(damaged(file, std::string("the state has no text called ") + name));
}

Result<std::vector<std::vector<std::string>>> listed_of(const Json& state,
                                                        const std::string& file) {
  std::vector<std::vector<std::string>> listed;
  for (const Json& group : state.value("listed", Json::array())) {
    listed.emplace_back();
    for (const Json& role : group.is_array() ? group : Json::array({Json()})) {
      if (!role.is_string()) return fail(damaged(file, "the state's lists of parameters are none"));
      listed.back().push_back(role.get<std::string>());
    }
  }
  return listed;
}

/// An open optimizer.safetensors.
class MomentFile {
 public:
  static Result<MomentFile> open(const std::string& path) {
    MomentFile opened;
    SAMEBITS_TRY(opened.map_, MappedFile::open(path));
    SAMEBITS_TRY(opened.file_, SafetensorsFile::open(opened.map_->bytes(), path));
    return opened;
  }

  Result<Bytes> bytes(const std::string& name, DType dtype, std::uint64_t size) const {
    for (const SafetensorsEntry& entry : file_.entries) {
      if (entry.name != name || entry.dtype != dtype) continue;
      const Bytes found = map_->bytes().subspan(entry.begin, entry.end - entry.begin);
      if (size == 0 || found.size() == size) return found;
    }
    return fail(damaged(map_->path(), "the optimizer's state has no such tensor: " + name));
  }

 private:
  std::shared_ptr<const MappedFile> map_;
  SafetensorsFile file_;
};

Result<void> read_moment(const MomentFile& file, const std::string& prefix,
                         const TrainedModel& trained, VitWeights& into) {
  const std::vector<WeightSlot> slots = weight_slots(into);
  std::vector<float> values;
  for (const StoredWeight& weight : trained.weights) {
    if (!weight.learns) continue;
    const WeightSlot& slot = slots[weight.slot];
    values.resize(weight.count * slot.row_length());
    SAMEBITS_TRY(const Bytes bytes,
                 file.bytes(prefix + weight.name, DType::float32, values.size() * sizeof(float)));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    slot.write_rows(weight.first, weight.count, values.data());
  }
  return {};
}

}  // namespace

Result<std::string> digest_of(const Learning& learning, bool moments) {
  TensorsToWrite all = learning.trained.tensors(learning.weights, "", true);
  if (moments) {
    append(learning.trained.tensors(learning.first, kFirst, false), &all);
    append(learning.trained.tensors(learning.second, kSecond, false), &all);
  }
  RunningDigest digest;
  SAMEBITS_TRY_VOID(stream_safetensors(all, {}, [&](Bytes bytes) -> Result<void> {
    digest.add(bytes);
    return {};
  }));
  return digest_text(digest.digest());
}

Result<void> write_checkpoint(const std::string& directory, const TrainState& state,
                              const Learning& learning) {
  const std::string at = directory + "/";
  const TrainedModel& trained = learning.trained;
  Json digests = Json::object();
  SAMEBITS_TRY(digests[kModelFile],
               write_tensors(at + kModelFile, trained.tensors(learning.weights, "", true)));
  TensorsToWrite moments = trained.tensors(learning.first, kFirst, false);
  append(trained.tensors(learning.second, kSecond, false), &moments);
  add_bytes(kNoise, state.noise_generator, &moments);
  add_bytes(kOrder, state.order_generator, &moments);
  SAMEBITS_TRY(digests[kOptimizerFile], write_tensors(at + kOptimizerFile, moments));
  if (trained.config.is_object()) SAMEBITS_TRY_VOID(write_json(at + "config.json", trained.config));
  if (trained.preprocessing.is_object())
    SAMEBITS_TRY_VOID(write_json(at + "preprocessor_config.json", trained.preprocessing));
  Json json = {{"schema", "samebits.training-state/1"},
               {"contract", kTrainingContract},
               {"step", state.step},
               {"epoch", state.epoch},
               {"position", state.position},
               {"optimizer", "adamw"},
               {"options", options_json(state.options)},
               {"data_xxh3_128", state.data_digest},
               {"validation_xxh3_128", state.validation_digest},
               {"files_xxh3_128", digests}};
  if (!state.begun_digest.empty()) {
    json["begun_step"] = state.begun_step;
    json["begun_xxh3_128"] = state.begun_digest;
  }
  if (!state.groups.empty()) json["groups"] = groups_json(state.groups);
  if (!state.listed.empty()) json["listed"] = state.listed;
  return write_json(at + kStateFile, json);
}

Result<TrainState> read_state(const std::string& directory) {
  const std::string path = directory + "/" + kStateFile;
  SAMEBITS_TRY(const auto file, MappedFile::open(path));
  SAMEBITS_TRY(const Json json, parse_json(file->bytes(), path));
  SAMEBITS_TRY(const std::uint64_t contract, number_of(json, "contract", path));
  if (contract != kTrainingContract) {
    return fail({.code = ErrorCode::unsupported,
                 .what = "the training was made under another version of the numeric contract",
                 .file = path,
                 .expected = std::to_string(kTrainingContract),
                 .found = std::to_string(contract),
                 .hint = "Continue it with the samebits that began it"});
  }
  TrainState state;
  SAMEBITS_TRY(state.step, number_of(json, "step", path));
  SAMEBITS_TRY(state.epoch, number_of(json, "epoch", path));
  SAMEBITS_TRY(state.position, number_of(json, "position", path));
  SAMEBITS_TRY(state.data_digest, text_of(json, "data_xxh3_128", path));
  SAMEBITS_TRY(state.validation_digest, text_of(json, "validation_xxh3_128", path));
  SAMEBITS_TRY(state.options, options_from_json(json.value("options", Json()), path));
  SAMEBITS_TRY_VOID(state.options.check());
  if (json.contains("groups")) {
    SAMEBITS_TRY(state.groups, groups_from_json(json["groups"], path));
  }
  SAMEBITS_TRY(state.listed, listed_of(json, path));
  if (json.contains("begun_step")) {
    SAMEBITS_TRY(state.begun_step, number_of(json, "begun_step", path));
    SAMEBITS_TRY(state.begun_digest, text_of(json, "begun_xxh3_128", path));
  }
  const Json digests = json.value("files_xxh3_128", Json());
  for (const char* name : {kModelFile, kOptimizerFile}) {
    SAMEBITS_TRY(const std::string wanted, text_of(digests, name, path));
    SAMEBITS_TRY(const std::string found, file_digest(directory + "/" + name));
    if (found == wanted) continue;
    Error error = damaged(directory + "/" + name, "the file is not what was written");
    error.expected = "XXH3 128 " + wanted;
    error.found = found;
    return fail(std::move(error));
  }
  return state;
}

Result<void> read_moments(const std::string& directory, TrainState* state,
                          const Learning& learning) {
  SAMEBITS_TRY(const MomentFile file, MomentFile::open(directory + "/" + kOptimizerFile));
  SAMEBITS_TRY_VOID(read_moment(file, kFirst, learning.trained, learning.first));
  SAMEBITS_TRY_VOID(read_moment(file, kSecond, learning.trained, learning.second));
  SAMEBITS_TRY(const Bytes noise, file.bytes(kNoise, DType::uint8, 0));
  SAMEBITS_TRY(const Bytes order, file.bytes(kOrder, DType::uint8, 0));
  state->noise_generator.assign(noise.begin(), noise.end());
  state->order_generator.assign(order.begin(), order.end());
  return {};
}

}  // namespace samebits
